// ---- foundation: one base class, attributes that reflect, style keywords ------------------------------------------

const SPACE = {
  "none": "0", "0": "0", "small-500": "1px", "small-400": "2px", "small-300": "4px", "small-200": "8px",
  "small-100": "12px", "small": "12px", "base": "16px", "large": "20px", "large-100": "20px", "large-200": "24px",
  "large-300": "32px", "large-400": "40px", "large-500": "48px",
};
const RADIUS = {
  "none": "0", "small-200": "2px", "small-100": "4px", "small": "6px", "base": "8px", "large": "10px",
  "large-100": "12px", "large-200": "16px", "max": "999px",
};
const BACKGROUND = { transparent: "transparent", subdued: "#f7f7f7", base: "#fff", strong: "#ebebeb" };
const LINE = { subdued: "#ebebeb", base: "#d9d9d9", strong: "#8a8a8a" };
const WIDTH = { "none": "0", "small-100": "1px", "small": "1px", "base": "1px", "large": "2px", "large-100": "3px" };
const FONT_SIZE = {
  "small-200": "10px", "small-100": "11px", "small": "12px", "base": "13px", "large": "14px", "large-100": "16px",
  "large-200": "20px", "large-300": "24px", "large-400": "30px",
};
const WEIGHT = { base: "450", medium: "550", semibold: "600", bold: "700" };

const PLAIN = /^[\w\s.,%()/+*-]*$/;
const words = (table) => (value) => value.split(/\s+/).map((word) => table[word] ?? word).join(" ");
const raw = (value) => value;

function border(value) {
  const parts = value.split(/\s+/).filter((part) => part !== "");
  if (parts.includes("none")) return "none";
  const width = WIDTH[parts[0]] ?? "1px";
  const line = parts.slice(1).find((part) => ["solid", "dashed", "dotted"].includes(part)) ?? "solid";
  return `${width} ${line} ${LINE[parts.find((part, index) => index > 0 && part in LINE)] ?? LINE.base}`;
}

/* attribute → [CSS property, how its keywords become CSS values] */
const BOX = {
  accessibilityVisibility: null,
  background: ["background", words(BACKGROUND)],
  blockSize: ["block-size", raw],
  border: ["border", border],
  borderColor: ["border-color", words(LINE)],
  borderRadius: ["border-radius", words(RADIUS)],
  borderStyle: ["border-style", raw],
  borderWidth: ["border-width", words(WIDTH)],
  display: ["display", (value) => (value === "none" ? "none" : "")],
  inlineSize: ["inline-size", raw],
  maxBlockSize: ["max-block-size", raw],
  maxInlineSize: ["max-inline-size", raw],
  minBlockSize: ["min-block-size", raw],
  minInlineSize: ["min-inline-size", raw],
  overflow: ["overflow", raw],
  padding: ["padding", words(SPACE)],
  paddingBlock: ["padding-block", words(SPACE)],
  paddingBlockEnd: ["padding-block-end", words(SPACE)],
  paddingBlockStart: ["padding-block-start", words(SPACE)],
  paddingInline: ["padding-inline", words(SPACE)],
  paddingInlineEnd: ["padding-inline-end", words(SPACE)],
  paddingInlineStart: ["padding-inline-start", words(SPACE)],
};
const FLOW = {
  alignContent: ["align-content", raw],
  alignItems: ["align-items", raw],
  columnGap: ["column-gap", words(SPACE)],
  gap: ["gap", words(SPACE)],
  justifyContent: ["justify-content", raw],
  rowGap: ["row-gap", words(SPACE)],
};
const TYPE = {
  fontSize: ["font-size", (value) => FONT_SIZE[value] ?? ""],
  fontVariantNumeric: ["font-variant-numeric", (value) => (value === "auto" ? "" : value)],
  fontWeight: ["font-weight", (value) => WEIGHT[value] ?? ""],
};
const GLOBAL = new Set(["id", "hidden", "dir", "lang"]);

const lower = (name) => name.toLowerCase();
const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/* "@container (inline-size > 500px) a, b" is a when the container is that wide, else b */
function declaration(property, convert, value) {
  const responsive = value.match(/^@container\s+(?:[\w-]+\s*)?(\([^{};]*?\))\s+([^{};]*?),\s*([^{};,]+)$/);
  const rule = (text) => (PLAIN.test(text) && convert(text.trim()) ? `:host{${property}:${convert(text.trim())}}` : "");
  if (!responsive) return rule(value);
  const [, condition, then, otherwise] = responsive;
  return `${rule(otherwise)}@container ${condition}{${rule(then)}}`;
}

function sheet(css) {
  const made = new CSSStyleSheet();
  made.replaceSync(css);
  return made;
}

const COMMON = sheet(`
  :host { box-sizing: border-box; }
  :host([hidden]) { display: none !important; }
  *, *::before, *::after { box-sizing: border-box; }
  button, input, select, textarea { font: inherit; color: inherit; }
  .visually-hidden { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
  :focus-visible { outline: 2px solid #0b5cad; outline-offset: 1px; }
`);
const PAGE_FONT = "13px/20px Inter, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', sans-serif";
document.adoptedStyleSheets.push(sheet(`body { margin: 0; font: ${PAGE_FONT}; color: #303030; }`));

class PolarisElement extends HTMLElement {
  static css = "";
  static html = "<slot></slot>";
  static strings = [];
  static flags = [];
  static styles = {};
  static shadow = {};

  static get observedAttributes() {
    const names = [...this.strings, ...this.flags, ...Object.keys(this.styles)];
    return names.flatMap((name) => [lower(name), kebab(name)]);
  }

  constructor() {
    super();
    this.internals = this.attachInternals();
    this.root = this.attachShadow({ mode: "open", ...this.constructor.shadow });
    this.ownSheet = new CSSStyleSheet();
    this.root.adoptedStyleSheets = [COMMON, this.constructor.sheet, this.ownSheet];
    this.root.append(this.constructor.template.content.cloneNode(true));
    this.root.addEventListener("slotchange", () => this.isConnected && this.update());
    this.setup();
  }

  setup() {}
  update() {}

  connectedCallback() {
    this.refresh();
  }

  attributeChangedCallback() {
    if (this.isConnected) this.refresh();
  }

  refresh() {
    this.applyStyles();
    this.update();
  }

  applyStyles() {
    const rules = Object.entries(this.constructor.styles)
      .filter(([name, style]) => style && this.string(name))
      .map(([name, [property, convert]]) => declaration(property, convert, this.string(name)));
    this.ownSheet.replaceSync(rules.join(""));
  }

  string(name) {
    return this.getAttribute(lower(name)) ?? this.getAttribute(kebab(name)) ?? "";
  }

  flag(name) {
    return this.hasAttribute(lower(name)) || this.hasAttribute(kebab(name));
  }

  part_(selector) {
    return this.root.querySelector(selector);
  }

  fill(selector, text) {
    const element = this.part_(selector);
    element.textContent = text;
    element.hidden = text === "";
  }

  say(type, options = {}) {
    return this.dispatchEvent(new Event(type, { bubbles: true, ...options }));
  }
}

function reflect(prototype, name, get, set) {
  if (GLOBAL.has(name) || Object.hasOwn(prototype, name)) return;
  Object.defineProperty(prototype, name, { configurable: true, enumerable: true, get, set });
}

/* Define <s-…>: each named attribute is also a property of the element. */
function define(tag, Class) {
  Class.sheet = sheet(Class.css);
  Class.template = document.createElement("template");
  Class.template.innerHTML = Class.html;
  for (const name of [...Class.strings, ...Object.keys(Class.styles)]) {
    reflect(
      Class.prototype,
      name,
      function get() { return this.string(name); },
      function set(value) { this.setAttribute(lower(name), value); },
    );
  }
  for (const name of Class.flags) {
    reflect(
      Class.prototype,
      name,
      function get() { return this.flag(name); },
      function set(value) { this.toggleAttribute(lower(name), Boolean(value)); },
    );
  }
  customElements.define(tag, Class);
}

const TONES = `
  :host { --tone: #303030; --tone-line: #d9d9d9; --tone-soft: #ebebeb; }
  :host([tone="info"]) { --tone: #00527c; --tone-line: #a8d8f5; --tone-soft: #e0f0fa; }
  :host([tone="success"]) { --tone: #0a5c3a; --tone-line: #9fdcbc; --tone-soft: #d9f5e5; }
  :host([tone="caution"]) { --tone: #5e4200; --tone-line: #ecd38a; --tone-soft: #fff4cf; }
  :host([tone="warning"]) { --tone: #6b3300; --tone-line: #ffcf9e; --tone-soft: #ffe9d1; }
  :host([tone="critical"]) { --tone: #a3131d; --tone-line: #fbb8b8; --tone-soft: #fee4e2; }
`;
