/*
 * devstore's stand-in for App Bridge. It is not Shopify's script and shares no code with it: it offers an app under
 * development the part of the documented behaviour that devstore's README lists, at the path where the real one lives.
 *
 * It runs in the app's document, inside the frame, and talks to the admin page around it by postMessage. Either side
 * listens only to the window and the origin it expects; the admin's origin is the one this file was loaded from.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  const CHANNEL = "devstore-bridge";
  const ANSWER_WITHIN_MS = 10_000;
  const EXPIRY_MARGIN_S = 5;
  const RELOAD_PARAMETER = "shopify-reload";
  const RETRY_HEADER = "X-Shopify-Retry-Invalid-Session-Request";
  const REAUTHORIZE_HEADER = "X-Shopify-API-Request-Failure-Reauthorize-Url";

  const framed = window.parent !== window;
  const adminOrigin = new URL(script.src).origin;
  const query = new URLSearchParams(window.location.search);

  function complainAboutTheTag() {
    const first = document.querySelector("script");
    if (first !== script) console.warn("App Bridge must be the first <script> of the document.");
    if (script.async || script.defer) console.warn("App Bridge must be loaded without async or defer.");
    if (!config.apiKey) console.warn('App Bridge needs <meta name="shopify-api-key"> or data-api-key.');
  }

  const config = {
    apiKey: document.querySelector('meta[name="shopify-api-key"]')?.content || script.dataset.apiKey || "",
    shop: query.get("shop") ?? undefined,
    host: query.get("host") ?? undefined,
    locale: query.get("locale") ?? undefined,
    appOrigins: [],
    disabledFeatures: (script.dataset.disabledFeatures ?? "").split(",").filter(Boolean),
  };

  // ---- talking to the admin ------------------------------------------------------------------------------------

  const waiting = new Map();
  const handlers = new Map();
  let lastId = 0;

  function tell(type, detail) {
    if (framed) window.parent.postMessage({ channel: CHANNEL, type, detail }, adminOrigin);
  }

  function ask(type, detail) {
    if (!framed) return Promise.reject(new Error("App Bridge: this page is not inside the admin."));
    const id = (lastId += 1);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(id, { error: "the admin did not answer" }), ANSWER_WITHIN_MS);
      waiting.set(id, { resolve, reject, timer });
      window.parent.postMessage({ channel: CHANNEL, type, detail, id }, adminOrigin);
    });
  }

  function settle(id, answer) {
    const question = waiting.get(id);
    if (!question) return;
    waiting.delete(id);
    clearTimeout(question.timer);
    if (answer.error) question.reject(new Error(`App Bridge: ${answer.error}`));
    else question.resolve(answer.value);
  }

  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== adminOrigin) return;
    if (event.data?.channel !== CHANNEL) return;
    if (event.data.type === "answer") settle(event.data.id, event.data);
    else handlers.get(event.data.type)?.(event.data.detail);
  });

  // ---- ID tokens and fetch -------------------------------------------------------------------------------------

  let held = null;
  let asking = null;

  function expiresAt(token) {
    const payload = token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/");
    return JSON.parse(atob(payload)).exp;
  }

  function freshToken() {
    asking ??= ask("idToken")
      .then((token) => {
        held = { token, until: expiresAt(token) - EXPIRY_MARGIN_S };
        return token;
      })
      .finally(() => {
        asking = null;
      });
    return asking;
  }

  async function idToken() {
    if (held && Date.now() / 1000 < held.until) return held.token;
    return freshToken();
  }

  const nativeFetch = window.fetch.bind(window);

  function belongsToTheApp(url) {
    const { origin, hostname } = new URL(url);
    if (origin === window.location.origin || config.appOrigins.includes(origin)) return true;
    return hostname.endsWith(`.${window.location.hostname}`);
  }

  function withToken(request, token) {
    const headers = new Headers(request.headers);
    headers.set("Authorization", `Bearer ${token}`);
    if (!headers.has("Accept-Language") && config.locale) headers.set("Accept-Language", config.locale);
    return new Request(request, { headers });
  }

  async function fetchWithToken(request) {
    const again = request.clone();
    const response = await nativeFetch(withToken(request, await idToken()));
    if (response.status !== 401 || !response.headers.has(RETRY_HEADER)) return response;
    return nativeFetch(withToken(again, await freshToken()));
  }

  async function bridgedFetch(input, init) {
    const request = new Request(input, init);
    if (!belongsToTheApp(request.url) || request.headers.has("Authorization")) return nativeFetch(request);
    const response = await fetchWithToken(request);
    const target = response.headers.get(REAUTHORIZE_HEADER);
    if (target) tell("redirect", { url: new URL(target, window.location.href).href });
    return response;
  }

  // ---- the bounce ----------------------------------------------------------------------------------------------

  function bounceTarget() {
    const target = new URL(query.get(RELOAD_PARAMETER), window.location.origin);
    if (target.origin !== window.location.origin) throw new Error("App Bridge: shopify-reload leaves the app.");
    return target;
  }

  async function bounce() {
    const target = bounceTarget();
    const launch = await ask("launch");
    for (const stale of ["hmac", "timestamp", "session"]) target.searchParams.delete(stale);
    for (const [name, value] of Object.entries(launch)) target.searchParams.set(name, value);
    window.location.replace(target);
  }

  // ---- the address bar -----------------------------------------------------------------------------------------

  const tellLocation = () => tell("location", { path: location.pathname + location.search + location.hash });

  function mirrorLocation() {
    for (const name of ["pushState", "replaceState"]) {
      const native = history[name].bind(history);
      history[name] = (...args) => {
        native(...args);
        tellLocation();
      };
    }
    window.addEventListener("popstate", tellLocation);
    window.addEventListener("hashchange", tellLocation);
  }

  const nativeOpen = window.open.bind(window);

  // A frame of another site may not navigate the top window without a click of the user, so the admin does it.
  function open(url, target, features) {
    const leaves = ["_top", "_parent"].includes(target) || String(url).startsWith("shopify:");
    if (!framed || !leaves) return nativeOpen(url, target, features);
    tell("redirect", { url: new URL(url, window.location.href).href });
    return null;
  }

  function followAdminLink(event) {
    const link = event.composedPath().find((node) => node instanceof Element && node.hasAttribute?.("href"));
    const href = link?.getAttribute("href") ?? "";
    if (event.defaultPrevented || !href.startsWith("shopify:")) return;
    event.preventDefault();
    open(href, "_top");
  }

  // ---- navigation menu -----------------------------------------------------------------------------------------

  const NAV = "s-app-nav, ui-nav-menu";
  const navLinks = () => [...document.querySelectorAll(NAV)].flatMap((nav) => [...nav.querySelectorAll("[href]")]);

  function tellNav() {
    const links = navLinks().map((link) => ({
      href: link.getAttribute("href"),
      label: link.textContent.trim(),
      home: link.getAttribute("rel") === "home",
    }));
    tell("nav", { links });
  }

  class AppNav extends HTMLElement {
    connectedCallback() {
      this.style.setProperty("display", "none", "important");
      this.watch = new MutationObserver(tellNav);
      this.watch.observe(this, { childList: true, subtree: true, attributes: true, characterData: true });
    }

    disconnectedCallback() {
      this.watch.disconnect();
      tellNav();
    }
  }

  function click(link) {
    const event = new MouseEvent("click", { bubbles: true, cancelable: true, composed: true, view: window });
    const untouched = link.dispatchEvent(event);
    if (untouched && !(link instanceof HTMLAnchorElement)) window.location.assign(link.getAttribute("href"));
  }

  handlers.set("navigate", ({ href }) => {
    const link = navLinks().find((candidate) => candidate.getAttribute("href") === href);
    if (link) click(link);
    else window.location.assign(new URL(href, window.location.origin));
  });

  // ---- toast, loading, save bar, modal -------------------------------------------------------------------------

  const toasts = new Map();

  const toast = {
    show(message, options = {}) {
      const id = crypto.randomUUID?.() ?? String(Math.random());
      toasts.set(id, options);
      const { duration = 5000, isError = false, action } = options;
      tell("toast.show", { id, message: String(message), duration, isError, action });
      return id;
    },
    hide: (id) => tell("toast.hide", { id }),
  };

  handlers.set("toast.action", ({ id }) => toasts.get(id)?.onAction?.());
  handlers.set("toast.dismiss", ({ id }) => toasts.get(id)?.onDismiss?.());

  let dirty = null;

  function showSaveBar(owner) {
    dirty = owner;
    tell("saveBar", { shown: true });
  }

  function hideSaveBar(owner) {
    if (dirty !== owner) return;
    dirty = null;
    tell("saveBar", { shown: false });
  }

  const byId = (id) => document.getElementById(id);

  const saveBar = {
    show: async (id) => showSaveBar(byId(id)),
    hide: async (id) => hideSaveBar(byId(id)),
    toggle: async (id) => (dirty === byId(id) ? hideSaveBar(byId(id)) : showSaveBar(byId(id))),
    leaveConfirmation: async () => (dirty ? ask("leave") : undefined),
  };

  function answerSaveBar(button) {
    const owner = dirty;
    if (owner instanceof HTMLFormElement) {
      if (button === "save") owner.requestSubmit();
      else owner.reset();
    } else {
      const primary = owner?.querySelector('[variant="primary"]');
      const other = owner?.querySelector('button:not([variant="primary"])');
      (button === "save" ? primary : other)?.click();
    }
  }

  handlers.set("saveBar", ({ button }) => answerSaveBar(button));

  function watchSaveBarForms() {
    const ownerOf = (event) => event.target.closest?.("form[data-save-bar]");
    for (const type of ["input", "change"]) {
      document.addEventListener(type, (event) => ownerOf(event) && showSaveBar(ownerOf(event)));
    }
    for (const type of ["submit", "reset"]) {
      document.addEventListener(type, (event) => ownerOf(event) && hideSaveBar(ownerOf(event)));
    }
  }

  const modal = {
    show: async (id) => byId(id)?.showOverlay?.(),
    hide: async (id) => byId(id)?.hideOverlay?.(),
    toggle: async (id) => byId(id)?.toggleOverlay?.(),
  };

  // ---- web vitals ----------------------------------------------------------------------------------------------

  const vitals = { LCP: null, CLS: 0 };
  let reportVitals = null;

  function watchVitals() {
    const observe = (type, take) =>
      new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
    observe("largest-contentful-paint", (entry) => (vitals.LCP = entry.startTime));
    observe("layout-shift", (entry) => (vitals.CLS += entry.hadRecentInput ? 0 : entry.value));
    document.addEventListener("visibilitychange", () => document.visibilityState === "hidden" && sendVitals());
  }

  function sendVitals() {
    const metrics = Object.entries(vitals)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => ({ id: `${name}-${performance.timeOrigin}`, name, value }));
    reportVitals?.({ metrics });
  }

  // ---- the global ----------------------------------------------------------------------------------------------

  function takeSurroundings(surroundings) {
    if (config.apiKey && surroundings.apiKey !== config.apiKey) {
      console.warn(`App Bridge: this page says app ${config.apiKey}, the admin opened ${surroundings.apiKey}.`);
    }
    config.shop = surroundings.shop;
    config.host = surroundings.host;
    config.locale = surroundings.locale;
  }

  const ready = framed ? ask("hello", { apiKey: config.apiKey }).then(takeSurroundings) : Promise.resolve();
  ready.catch((error) => console.warn(error.message));

  window.shopify = {
    config,
    origin: adminOrigin,
    ready,
    environment: { embedded: framed, mobile: false, pos: false, intent: false },
    idToken,
    toast,
    saveBar,
    modal,
    loading: (isLoading) => tell("loading", { on: Boolean(isLoading) }),
    user: () => ask("user"),
    scopes: {
      query: () => ask("scopes.query"),
      request: (scopes) => ask("scopes.request", { scopes }),
      revoke: (scopes) => ask("scopes.revoke", { scopes }),
    },
    app: { extensions: async () => [] },
    webVitals: {
      onReport: async (callback) => {
        reportVitals = callback;
      },
    },
  };

  complainAboutTheTag();
  customElements.define("s-app-nav", AppNav);
  customElements.define("ui-nav-menu", class extends AppNav {});
  if (!framed) return;

  if (!config.disabledFeatures.includes("fetch")) window.fetch = bridgedFetch;
  window.open = open;
  document.addEventListener("click", followAdminLink);
  if (query.has(RELOAD_PARAMETER)) {
    bounce().catch((error) => console.error(error.message));
    return;
  }
  mirrorLocation();
  watchSaveBarForms();
  watchVitals();
  tellLocation();
  document.addEventListener("DOMContentLoaded", tellNav);
})();
