// ---- buttons, links and what they open ----------------------------------------------------------------------------------

const COMMANDS = { "--show": "showOverlay", "--hide": "hideOverlay", "--toggle": "toggleOverlay", "--auto": "toggleOverlay" };

/* commandFor/command: the activated element shows, hides, toggles or copies the element of that id. */
function runCommand(source) {
  const target = source.getRootNode().getElementById?.(source.string("commandFor"));
  if (!target) return;
  const command = source.string("command") || "--auto";
  if (command === "--copy") navigator.clipboard?.writeText(target.value ?? target.textContent);
  else target[COMMANDS[command]]?.(source);
}

const hovering = (source) => source.getRootNode().getElementById?.(source.string("interestFor"));

/* What every activatable element shares: an inner <a> or <button>, one of which is shown. */
class Activatable extends PolarisElement {
  static strings = [
    "href", "target", "download", "type", "tone", "variant", "icon", "accessibilityLabel", "commandFor", "command",
    "interestFor", "inlineSize", "lang",
  ];
  static flags = ["disabled", "loading"];
  static shadow = { delegatesFocus: true };
  static formAssociated = true;

  setup() {
    this.addEventListener("click", (event) => this.activate(event));
    for (const type of ["mouseenter", "focusin"]) this.addEventListener(type, () => hovering(this)?.showOverlay?.(this));
    for (const type of ["mouseleave", "focusout"]) this.addEventListener(type, () => hovering(this)?.hideOverlay?.());
  }

  get inner() {
    return this.part_(this.string("href") ? "a" : "button");
  }

  get off() {
    return this.flag("disabled") || this.flag("loading");
  }

  activate(event) {
    if (this.off) {
      event.preventDefault();
      event.stopImmediatePropagation();
      return;
    }
    // The page's own listeners run after this one (microtasks would run between them), so wait for their verdict.
    setTimeout(() => event.defaultPrevented || this.act());
  }

  act() {
    runCommand(this);
    const form = this.internals.form;
    if (this.string("type") === "submit") form?.requestSubmit();
    if (this.string("type") === "reset") form?.reset();
  }

  click() {
    this.inner.click();
  }

  update() {
    const href = this.string("href");
    const link = this.part_("a");
    const button = this.part_("button");
    const chosen = href ? link : button;
    const slot = this.part_("slot:not([name])");
    if (slot.closest("a, button") !== chosen) chosen.append(...slot.closest("a, button").childNodes);
    link.hidden = !href;
    button.hidden = Boolean(href);
    if (href && !this.off) link.href = href;
    else link.removeAttribute("href");
    for (const name of ["target", "download"]) this.pass(link, name);
    button.disabled = this.off;
    chosen.ariaLabel = this.string("accessibilityLabel") || null;
    chosen.ariaBusy = this.flag("loading") ? "true" : null;
  }

  pass(link, name) {
    const value = this.string(name);
    if (value && value !== "auto") link.setAttribute(name, value);
    else link.removeAttribute(name);
  }
}

const BUTTON = `
  :host { display: inline-block; }
  :host(:is([inlinesize="fill"], [inline-size="fill"])) { display: block; }
  a, button { display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-block-size: 28px;
              inline-size: 100%; padding: 4px 12px; border-radius: 8px; border: 1px solid #c9c9c9; background: #fff;
              color: #303030; font-weight: 550; text-decoration: none; cursor: pointer; white-space: nowrap; }
  a[hidden], button[hidden] { display: none; }
  a:hover, button:hover { background: #f5f5f5; }
  :host([variant="primary"]) :is(a, button) { background: #303030; border-color: #303030; color: #fff; }
  :host([variant="primary"]) :is(a, button):hover { background: #1a1a1a; }
  :host([variant="tertiary"]) :is(a, button) { background: none; border-color: transparent; }
  :host([variant="tertiary"]) :is(a, button):hover { background: rgb(0 0 0 / 6%); }
  :host([tone="critical"]) :is(a, button) { color: #a3131d; border-color: #e5b3b3; }
  :host([tone="critical"][variant="primary"]) :is(a, button) { background: #b3131d; border-color: #b3131d; color: #fff; }
  :host(:is([disabled], [loading])) :is(a, button) { background: #f1f1f1; border-color: #e3e3e3; color: #8a8a8a;
                                                    cursor: default; }
  :host([pressed]) button { background: #e3e3e3; box-shadow: inset 0 1px 2px rgb(0 0 0 / 20%); }
  .icon:empty { display: none; }
`;
const ACTIVE = '<a hidden></a><button type="button"><span class="icon" aria-hidden="true"></span><slot></slot></button>';

class Button extends Activatable {
  static css = BUTTON;
  static html = ACTIVE;

  update() {
    super.update();
    const icon = this.string("icon");
    this.part_(".icon").textContent = this.flag("loading") ? "…" : icon && (GLYPHS[icon] ?? "•");
  }
}

define("s-button", Button);

define("s-press-button", class extends Button {
  static flags = ["disabled", "loading", "pressed"];

  update() {
    super.update();
    this.part_("button").ariaPressed = String(this.flag("pressed"));
  }

  act() {
    this.pressed = !this.pressed;
    super.act();
  }
});

define("s-link", class extends Activatable {
  static css = `
    :host { display: inline; }
    a, button { color: #0b5cad; text-decoration: underline; border: 0; background: none; padding: 0; cursor: pointer; }
    a[hidden], button[hidden] { display: none; }
    :host([tone="neutral"]) :is(a, button) { color: inherit; }
    :host([tone="critical"]) :is(a, button) { color: #a3131d; }
  `;
  static html = '<a hidden></a><button type="button"><slot></slot></button>';
});

define("s-clickable", class extends Activatable {
  static styles = BOX;
  static css = `
    :host { display: block; }
    a, button { display: block; inline-size: 100%; padding: 0; border: 0; background: none; color: inherit;
                text-align: start; text-decoration: none; cursor: pointer; border-radius: inherit; }
    a[hidden], button[hidden] { display: none; }
    :host(:hover) { background-color: #f7f7f7; }
  `;
  static html = '<a hidden></a><button type="button"><slot></slot></button>';
});

define("s-clickable-chip", class extends Activatable {
  static strings = [...Activatable.strings, "color"];
  static flags = ["disabled", "removable", "hidden"];
  static css = `${CHIP} a { color: inherit; text-decoration: none; } a[hidden], button[hidden] { display: none; }`;
  static html = `<a hidden></a><button type="button"><slot name="graphic"></slot><slot></slot></button
    ><button type="button" class="remove" aria-label="Remove">×</button>`;

  setup() {
    super.setup();
    this.part_(".remove").addEventListener("click", (event) => {
      event.stopPropagation();
      this.say("remove", { bubbles: false });
    });
  }

  update() {
    super.update();
    this.part_(".remove").hidden = !this.flag("removable");
  }
});

define("s-button-group", class extends PolarisElement {
  static strings = ["accessibilityLabel", "gap"];
  static css = ":host { display: flex; flex-wrap: wrap; gap: 8px; } :host([gap='none']) { gap: 0; }";
  static html = '<slot name="secondary-actions"></slot><slot></slot><slot name="primary-action"></slot>';

  update() {
    this.internals.role = "group";
    this.internals.ariaLabel = this.string("accessibilityLabel") || null;
  }
});

/* Popovers lie in the top layer, beside what opened them. */
class Popover extends PolarisElement {
  static strings = ["accessibilityLabel"];
  static styles = {
    inlineSize: BOX.inlineSize, maxInlineSize: BOX.maxInlineSize, minInlineSize: BOX.minInlineSize,
    blockSize: BOX.blockSize, maxBlockSize: BOX.maxBlockSize, minBlockSize: BOX.minBlockSize,
  };
  static kind = "auto";
  static css = `
    :host { position: fixed; inset: auto; margin: 0; padding: 8px; border: 1px solid #d9d9d9; border-radius: 12px;
            background: #fff; color: #303030; box-shadow: 0 4px 16px rgb(0 0 0 / 18%); overflow: auto; }
    :host(:not(:popover-open)) { display: none; }
  `;

  setup() {
    this.addEventListener("toggle", (event) => {
      const open = event.newState === "open";
      this.say(open ? "show" : "hide", { bubbles: false });
      this.say(open ? "aftershow" : "afterhide", { bubbles: false });
    });
  }

  update() {
    if (this.popover !== this.constructor.kind) this.popover = this.constructor.kind;
  }

  showOverlay(source) {
    if (this.matches(":popover-open")) return;
    this.showPopover();
    if (source) this.place(source.getBoundingClientRect());
  }

  hideOverlay() {
    if (this.matches(":popover-open")) this.hidePopover();
  }

  toggleOverlay(source) {
    if (this.matches(":popover-open")) this.hideOverlay();
    else this.showOverlay(source);
  }

  place(anchor) {
    const { width, height } = this.getBoundingClientRect();
    const below = anchor.bottom + 4 + height <= window.innerHeight;
    this.style.top = `${below ? anchor.bottom + 4 : Math.max(4, anchor.top - height - 4)}px`;
    this.style.left = `${Math.max(4, Math.min(anchor.left, window.innerWidth - width - 4))}px`;
  }
}

define("s-popover", Popover);

define("s-menu", class extends Popover {
  update() {
    super.update();
    this.internals.role = "menu";
    this.internals.ariaLabel = this.string("accessibilityLabel") || null;
  }

  setup() {
    super.setup();
    this.addEventListener("click", () => this.hideOverlay());
  }
});

define("s-tooltip", class extends Popover {
  static kind = "manual";

  update() {
    super.update();
    this.internals.role = "tooltip";
  }
});

define("s-modal", class extends PolarisElement {
  static strings = ["heading", "accessibilityLabel", "size", "padding"];
  static css = `
    :host { display: contents; }
    dialog { inline-size: min(620px, calc(100vw - 32px)); max-block-size: calc(100vh - 64px); padding: 0; border: 0;
             border-radius: 16px; color: #303030; box-shadow: 0 16px 48px rgb(0 0 0 / 30%); }
    :host([size^="small"]) dialog { inline-size: min(440px, calc(100vw - 32px)); }
    :host([size^="large"]) dialog { inline-size: min(980px, calc(100vw - 32px)); }
    dialog::backdrop { background: rgb(0 0 0 / 50%); }
    header { display: flex; align-items: center; gap: 12px; padding: 12px 16px; background: #f3f3f3; }
    h2 { margin: 0; font-size: 14px; font-weight: 650; flex: 1; }
    header button { border: 0; background: none; cursor: pointer; font-size: 18px; }
    .body { padding: 16px; }
    :host([padding="none"]) .body { padding: 0; }
    footer { display: flex; justify-content: end; gap: 8px; padding: 12px 16px; border-block-start: 1px solid #e3e3e3; }
  `;
  static html = `
    <dialog>
      <header><h2></h2><button type="button" aria-label="Close">×</button></header>
      <div class="body"><slot></slot></div>
      <footer><slot name="secondary-actions"></slot><slot name="primary-action"></slot></footer>
    </dialog>`;

  setup() {
    this.part_("header button").addEventListener("click", () => this.hideOverlay());
    this.part_("dialog").addEventListener("close", () => {
      this.say("hide", { bubbles: false });
      this.say("afterhide", { bubbles: false });
    });
  }

  update() {
    this.fill("h2", this.string("heading"));
    this.part_("dialog").ariaLabel = this.string("accessibilityLabel") || this.string("heading") || null;
    this.part_("footer").hidden = !this.querySelector(':scope > [slot$="action"], :scope > [slot$="actions"]');
  }

  showOverlay() {
    if (this.part_("dialog").open) return;
    this.part_("dialog").showModal();
    this.say("show", { bubbles: false });
    this.say("aftershow", { bubbles: false });
  }

  hideOverlay() {
    this.part_("dialog").close();
  }

  toggleOverlay() {
    if (this.part_("dialog").open) this.hideOverlay();
    else this.showOverlay();
  }
});
