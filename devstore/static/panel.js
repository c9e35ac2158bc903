/*
 * The panel's forms: each posts its fields as JSON to the action it names (data-path: to that address of the store),
 * then shows the webhooks that went out. A field's name may be a path ("lines.0.quantity"); data-type says what its
 * text becomes. Empty fields are left out.
 */
(() => {
  "use strict";

  const root = document.getElementById("panel");
  const result = document.getElementById("result");
  const { shop } = root.dataset;
  const SETTLED_WITHIN_MS = 8000;
  const AT_LEAST_MS = 1500;

  const READ = {
    text: (field) => field.value.trim() || undefined,
    int: (field) => (field.value === "" ? undefined : Number.parseInt(field.value, 10)),
    customer: (field) => (/^\d+$/.test(field.value) ? Number(field.value) : field.value || undefined),
    number: (field) => (field.value === "" ? undefined : Number(field.value)),
    bool: (field) => field.checked,
    words: (field) => field.value.split(",").map((word) => word.trim()).filter(Boolean),
  };

  function put(target, path, value) {
    const [head, ...rest] = path;
    if (rest.length === 0) target[head] = value;
    else put((target[head] ??= /^\d+$/.test(rest[0]) ? [] : {}), rest, value);
  }

  /* A line counts when it has its number of units; without any the action chooses by itself. */
  function withoutIdleLines(body) {
    for (const name of ["lines", "add", "remove"]) {
      if (!Array.isArray(body[name])) continue;
      body[name] = body[name].filter((line) => line?.quantity && Object.keys(line).length > 1);
      if (body[name].length === 0) delete body[name];
    }
    return body;
  }

  function bodyOf(form) {
    const body = {};
    for (const field of form.elements) {
      if (!field.name || field.disabled) continue;
      const value = READ[field.dataset.type ?? "text"](field);
      if (value !== undefined) put(body, field.name.split("."), value);
    }
    return withoutIdleLines(body);
  }

  const api = (path) => `/_dev/stores/${shop}/${path}`;

  async function deliveries() {
    const response = await fetch(api("deliveries.json"));
    if (!response.ok) throw new Error(`The delivery log was answered ${response.status}.`);
    return (await response.json()).deliveries;
  }

  function element(name, className, text) {
    return Object.assign(document.createElement(name), { className, textContent: text });
  }

  function outcome(delivery) {
    const last = delivery.attempts.at(-1);
    if (!last) return ["badge", "sending"];
    const said = last.status ?? last.error;
    if (delivery.state === "delivered") return ["badge good", `${said} in ${last.ms} ms`];
    return [delivery.state === "failed" ? "badge bad" : "badge warn", `${said}, attempt ${delivery.attempts.length}`];
  }

  function showDeliveries(list) {
    const items = list.map((delivery) => {
      const item = document.createElement("li");
      item.append(element("span", "code", delivery.topic), element("span", ...outcome(delivery)));
      return item;
    });
    const none = element("p", "quiet", "No webhook was due: nothing is subscribed to what happened.");
    result.querySelector("ul").replaceChildren(...items);
    if (items.length === 0) result.querySelector("ul").append(none);
  }

  let latest = 0;

  /* Follow what an action sent until every delivery was tried, or another action takes over. */
  async function watch(known, turn) {
    const started = Date.now();
    while (turn === latest && Date.now() < started + SETTLED_WITHIN_MS) {
      const fresh = (await deliveries()).filter((delivery) => !known.has(delivery.id));
      if (turn === latest) showDeliveries(fresh);
      const settled = fresh.every((delivery) => delivery.attempts.length > 0);
      if (settled && Date.now() > started + AT_LEAST_MS) return;
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  }

  function announce(label, refusal) {
    result.hidden = false;
    document.getElementById("sent").scrollIntoView({ block: "nearest" });
    const lines = refusal ? [element("p", "refused", refusal)] : [element("p", "", `${label}: done.`)];
    result.querySelector("div").replaceChildren(...lines);
    result.querySelector("ul").replaceChildren();
  }

  async function act(form, label) {
    const known = new Set((await deliveries()).map((delivery) => delivery.id));
    const response = await fetch(api(form.dataset.path ?? `actions/${form.dataset.action}`), {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(bodyOf(form)),
    });
    const answer = await response.json().catch(() => ({}));
    announce(label, response.ok ? "" : (answer.error ?? `The action was answered ${response.status}.`));
    if (!response.ok) return;
    if (form.dataset.then) window.location.assign(form.dataset.then);
    watch(known, (latest += 1)).catch((error) => announce(label, error.message));
    await window.devstore.refresh();
  }

  root.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-action], form[data-path]");
    if (!form) return;
    event.preventDefault();
    const button = event.submitter;
    button.disabled = true;
    try {
      await act(form, button.textContent.trim());
    } catch (error) {
      announce("", error.message);
    } finally {
      button.disabled = false;
    }
  });
})();
