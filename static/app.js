/*
 * What our pages do in the browser: stay up to date, copy a link, read out the chart, and, inside the admin, follow
 * links and forms by fetch. App Bridge adds the session token to a fetch; a navigation of the frame would go without.
 */
(() => {
  "use strict";

  const embedded = document.documentElement.classList.contains("embedded");
  const ONCE = ["appLoadId", "bounced", "hmac", "id_token", "protocol", "session", "timestamp"];
  const KEPT = ["embedded", "host", "locale", "shop"];
  const launch = new URLSearchParams(window.location.search);
  const main = () => document.querySelector("main");

  // ---- addresses -----------------------------------------------------------------------------------------------

  /* The address to ask for: without what the admin added to it. */
  function bare(href) {
    const url = new URL(href, window.location.origin);
    for (const name of [...ONCE, ...KEPT]) url.searchParams.delete(name);
    return url;
  }

  /* The address to show: with what App Bridge needs should the frame be reloaded, and without any token. */
  function shown(href) {
    const url = bare(href);
    for (const name of KEPT) if (launch.has(name)) url.searchParams.set(name, launch.get(name));
    return url;
  }

  // ---- navigation inside the admin -------------------------------------------------------------------------------

  let running = null;

  function busy(on) {
    main().toggleAttribute("aria-busy", on);
    if (on) main().setAttribute("aria-busy", "true");
    window.shopify?.loading?.(on);
  }

  async function go(href, { options = {}, remember = true } = {}) {
    running?.abort();
    const mine = (running = new AbortController());
    busy(true);
    try {
      const response = await fetch(bare(href), {
        ...options,
        signal: mine.signal,
        headers: { Accept: "text/html", "X-Requested-With": "fetch", ...options.headers },
      });
      show(await response.text());
      if (remember && (response.redirected || !options.method)) history.pushState(null, "", shown(response.url));
    } catch (error) {
      if (error.name !== "AbortError") fail(() => go(href, { options, remember }));
    } finally {
      if (running === mine) busy(false);
    }
  }

  function show(html) {
    const next = new DOMParser().parseFromString(html, "text/html");
    const content = next.querySelector("main");
    if (!content) throw new Error("The answer is not one of our pages.");
    document.title = next.title;
    main().replaceChildren(...content.childNodes);
    main().focus({ preventScroll: true });
    window.scrollTo(0, 0);
    announce(next.title);
  }

  function fail(again) {
    const note = document.createElement("p");
    note.className = "problem";
    note.setAttribute("role", "alert");
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Try again" });
    button.addEventListener("click", again);
    note.append("Storelens could not be reached. Check your connection. ", button);
    main().querySelector(":scope > .problem")?.remove();
    main().prepend(note);
  }

  function announce(text) {
    document.getElementById("announcer").textContent = text;
  }

  function isOurs(link) {
    const href = link.getAttribute("href");
    const target = link.getAttribute("target");
    return href && !href.startsWith("#") && !target && new URL(href, window.location).origin === window.location.origin;
  }

  function followClick(event) {
    const modified = event.metaKey || event.ctrlKey || event.shiftKey || event.altKey || event.button !== 0;
    const link = event.composedPath().find((node) => node instanceof Element && node.matches("a[href], s-link[href]"));
    if (!link || modified || event.defaultPrevented || !isOurs(link)) return;
    event.preventDefault();
    go(link.getAttribute("href"));
  }

  function followSubmit(event) {
    const form = event.target;
    if (event.defaultPrevented) return;
    event.preventDefault();
    const data = new URLSearchParams(new FormData(form, event.submitter));
    const action = new URL(form.getAttribute("action") ?? window.location.pathname, window.location.origin);
    if (form.method === "post") {
      go(action, { options: { method: "POST", body: data } });
    } else {
      action.search = data;
      go(action);
    }
  }

  if (embedded) {
    history.replaceState(null, "", shown(window.location.href));
    document.addEventListener("click", followClick);
    document.addEventListener("submit", followSubmit);
    document.addEventListener("shopify:navigate", (event) => go(event.target.getAttribute("href")));
    window.addEventListener("popstate", () => go(window.location.href, { remember: false }));
  }

  // ---- staying up to date ----------------------------------------------------------------------------------------

  const EVERY = 4000;
  const version = new WeakMap();

  async function refresh() {
    const part = document.querySelector("[data-fragment]");
    if (!part || document.visibilityState !== "visible" || main().hasAttribute("aria-busy")) return;
    const response = await fetch(part.dataset.fragment, {
      cache: "no-store",
      headers: { Accept: "text/html", "X-Requested-With": "fetch", "If-None-Match": version.get(part) ?? part.dataset.version },
    });
    if (response.status === 401 && !embedded) window.location.reload();
    if (!response.ok && response.status !== 304) throw new Error(`The answer was ${response.status}.`);
    part.querySelector("[data-stale]")?.setAttribute("hidden", "");
    if (response.ok) swap(part, await response.text(), response.headers.get("ETag"));
  }

  function swap(part, html, tag) {
    const next = new DOMParser().parseFromString(html, "text/html").querySelector("[data-fragment]");
    if (!next || !part.isConnected) return;
    for (const open of part.querySelectorAll("details[open][id]")) {
      next.querySelector(`#${CSS.escape(open.id)}`)?.setAttribute("open", "");
    }
    const focused = part.contains(document.activeElement) && document.activeElement.closest("[id]")?.id;
    part.replaceWith(next);
    version.set(next, tag);
    if (focused) focusIn(next.querySelector(`#${CSS.escape(focused)}`));
  }

  function focusIn(element) {
    (element?.querySelector("summary") ?? element)?.focus({ preventScroll: true });
  }

  async function keepFresh() {
    try {
      await refresh();
    } catch {
      document.querySelector("[data-stale]")?.removeAttribute("hidden");
    }
    const every = Number(document.querySelector("[data-fragment]")?.dataset.every) || EVERY;
    setTimeout(keepFresh, every);
  }

  setTimeout(keepFresh, Number(document.querySelector("[data-fragment]")?.dataset.every) || EVERY);

  // ---- the chart reads out a day -----------------------------------------------------------------------------------

  function readOut(band) {
    const chart = band.closest(".chart");
    chart.querySelector(".band.current")?.classList.remove("current");
    band.classList.add("current");
    chart.querySelector(".readout").textContent = band.dataset.label;
  }

  document.addEventListener("pointerover", (event) => event.target.matches?.(".band") && readOut(event.target));
  document.addEventListener("keydown", (event) => {
    const svg = event.target.closest?.(".chart svg");
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!svg || !step) return;
    event.preventDefault();
    const bands = [...svg.querySelectorAll(".band")];
    const at = bands.findIndex((band) => band.classList.contains("current"));
    const next = at < 0 ? bands.length - 1 : Math.min(Math.max(at + step, 0), bands.length - 1);
    readOut(bands[next]);
    announce(bands[next].dataset.label);
  });

  // ---- copying -----------------------------------------------------------------------------------------------------

  async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      document.execCommand("copy"); // a frame may not be allowed the clipboard API
    }
    button.textContent = "Copied";
    announce("Copied");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-copy]");
    if (button) copy(button);
  });
})();
