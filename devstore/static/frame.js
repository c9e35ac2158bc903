/*
 * The admin's side of the frame: answers the App Bridge stand-in in the app's document, shows what the app asks for
 * (navigation, toasts, save bar, loading bar) and mirrors the app's address. It listens only to the framed window and
 * only while that window shows the app's own origin.
 */
(() => {
  "use strict";

  const CHANNEL = "devstore-bridge";
  const LAUNCH = [
    "appLoadId", "embedded", "hmac", "host", "id_token", "locale", "protocol", "session", "shop", "timestamp",
  ];
  const frame = document.getElementById("app-frame");
  const { appOrigin, appPath, base, store } = frame.dataset;
  const find = (id) => document.getElementById(id);

  function post(type, detail) {
    frame.contentWindow.postMessage({ channel: CHANNEL, type, detail }, appOrigin);
  }

  async function call(path, body) {
    const response = await fetch(`/store/${store}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body ?? {}),
    });
    if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
    return response.json();
  }

  // ---- address and navigation ----------------------------------------------------------------------------------

  let links = [];
  let current = frame.dataset.current;
  let dirty = false;

  function withoutLaunch(path) {
    const url = new URL(path, appOrigin);
    for (const name of LAUNCH) url.searchParams.delete(name);
    return url;
  }

  function insideApp(pathname) {
    return pathname.startsWith(appPath) ? pathname.slice(appPath.length) : pathname;
  }

  function onLocation({ path }) {
    const url = withoutLaunch(path);
    current = url.pathname;
    const inside = insideApp(url.pathname).replace(/^\/$/, "");
    history.replaceState(null, "", base + inside + url.search + url.hash);
    highlight();
  }

  function highlight() {
    const covers = (path) => path === current || (path !== "/" && current.startsWith(`${path}/`));
    const paths = links.filter((link) => !link.home).map((link) => new URL(link.href, appOrigin).pathname);
    const best = paths.filter(covers).sort((a, b) => b.length - a.length)[0];
    for (const anchor of find("app-nav").querySelectorAll("a")) {
      const chosen = anchor.dataset.path === best;
      anchor.toggleAttribute("aria-current", chosen);
      if (chosen) anchor.setAttribute("aria-current", "page");
    }
    if (best) find("app-home").removeAttribute("aria-current");
    else find("app-home").setAttribute("aria-current", "page");
  }

  function navItem(link) {
    const item = document.createElement("li");
    const anchor = document.createElement("a");
    const url = new URL(link.href, appOrigin);
    anchor.textContent = link.label;
    anchor.href = base + insideApp(url.pathname) + url.search;
    anchor.dataset.href = link.href;
    anchor.dataset.path = url.pathname;
    item.append(anchor);
    return item;
  }

  function onNav(detail) {
    links = detail.links;
    find("app-nav").replaceChildren(...links.filter((link) => !link.home).map(navItem));
    highlight();
  }

  function onNavClick(event) {
    const anchor = event.target.closest("a");
    if (!anchor || event.metaKey || event.ctrlKey || event.shiftKey) return;
    event.preventDefault();
    if (dirty) remind();
    else post("navigate", { href: anchor.dataset.href ?? homeHref() });
  }

  const homeHref = () => links.find((link) => link.home)?.href ?? (appPath || "/");

  function adminAddress(url) {
    const record = url.href.match(/^shopify:(?:\/\/)?\/?admin\/?(.*)$/);
    return record ? `/store/${store}/${record[1]}` : url.href;
  }

  function onRedirect({ url }) {
    const target = new URL(adminAddress(new URL(url)), window.location.origin);
    if (["http:", "https:"].includes(target.protocol)) window.location.assign(target);
  }

  // ---- toast, loading, save bar --------------------------------------------------------------------------------

  function makeButton(label, className, onClick) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = className;
    button.textContent = label;
    button.addEventListener("click", onClick);
    return button;
  }

  function onToast({ id, message, duration, isError, action }) {
    const toast = document.createElement("div");
    toast.className = isError ? "toast toast-error" : "toast";
    toast.dataset.id = id;
    const text = document.createElement("span");
    text.textContent = message;
    toast.append(text);
    if (action) toast.append(makeButton(action, "toast-action", () => post("toast.action", { id })));
    const close = makeButton("×", "toast-close", () => hideToast({ id }));
    close.setAttribute("aria-label", "Dismiss");
    toast.append(close);
    find("toasts").append(toast);
    setTimeout(() => hideToast({ id }), duration);
  }

  function hideToast({ id }) {
    const toast = find("toasts").querySelector(`[data-id="${CSS.escape(id)}"]`);
    if (!toast) return;
    toast.remove();
    post("toast.dismiss", { id });
  }

  function onSaveBar({ shown }) {
    dirty = shown;
    find("save-bar").hidden = !shown;
  }

  function remind() {
    const bar = find("save-bar");
    bar.classList.remove("reminding");
    void bar.offsetWidth;
    bar.classList.add("reminding");
  }

  // ---- questions -----------------------------------------------------------------------------------------------

  async function requestScopes({ scopes }) {
    const dialog = find("scope-dialog");
    find("scope-list").replaceChildren(
      ...scopes.map((scope) => Object.assign(document.createElement("li"), { textContent: scope })),
    );
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    if (dialog.returnValue !== "approve") return { result: "declined-all", detail: await call("scopes") };
    return { result: "granted-all", detail: await call("scopes", { grant: scopes }) };
  }

  const questions = {
    hello: ({ apiKey }) => {
      if (apiKey && apiKey !== frame.dataset.clientId) console.warn(`The page in the frame says it is app ${apiKey}.`);
      const { clientId, shop, host, locale } = frame.dataset;
      return { apiKey: clientId, shop, host, locale };
    },
    idToken: async () => (await call("id_token")).id_token,
    launch: () => call("launch"),
    user: () => call("user"),
    "scopes.query": () => call("scopes"),
    "scopes.request": requestScopes,
    "scopes.revoke": async ({ scopes }) => ({ detail: await call("scopes", { revoke: scopes }) }),
    leave: () => {
      if (dirty) throw new Error("there are unsaved changes");
    },
  };

  const notices = {
    location: onLocation,
    nav: onNav,
    redirect: onRedirect,
    loading: ({ on }) => (find("loading").hidden = !on),
    saveBar: onSaveBar,
    "toast.show": onToast,
    "toast.hide": hideToast,
  };

  async function answer({ type, detail, id }) {
    const reply = { channel: CHANNEL, type: "answer", id };
    try {
      reply.value = await questions[type](detail ?? {});
    } catch (error) {
      reply.error = error.message;
      if (type === "leave") remind();
    }
    frame.contentWindow.postMessage(reply, appOrigin);
  }

  window.addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== appOrigin) return;
    if (event.data?.channel !== CHANNEL) return;
    const { type, id, detail } = event.data;
    if (id !== undefined && Object.hasOwn(questions, type)) answer(event.data);
    else if (Object.hasOwn(notices, type)) notices[type](detail ?? {});
  });

  find("app-nav").addEventListener("click", onNavClick);
  find("app-home").addEventListener("click", onNavClick);
  for (const button of find("save-bar").querySelectorAll("button")) {
    button.addEventListener("click", () => post("saveBar", { button: button.value }));
  }
  frame.src = frame.dataset.src;
})();
