// ---- fields: form-associated, each around one native control ---------------------------------------------------------------

const FIELD = `
  :host { display: block; min-inline-size: 0; }
  label { display: block; margin-block-end: 4px; }
  :host(:is([labelaccessibilityvisibility="exclusive"], [label-accessibility-visibility="exclusive"])) label.above {
    position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
  .control { display: flex; align-items: center; gap: 6px; border: 1px solid #8a8a8a; border-radius: 8px; background: #fff;
             padding-inline: 10px; min-block-size: 32px; }
  .control:focus-within { outline: 2px solid #0b5cad; outline-offset: 1px; }
  .control :is(input, select, textarea) { flex: 1; inline-size: 100%; min-inline-size: 0; border: 0; outline: 0;
                                          background: none; padding: 5px 0; }
  :host([disabled]) .control { background: #f1f1f1; color: #8a8a8a; border-color: #d9d9d9; }
  .wrong .control { border-color: #b3131d; background: #fff5f5; }
  .affix { color: #616161; white-space: nowrap; }
  .error { color: #a3131d; margin-block-start: 4px; }
  .details { color: #616161; margin-block-start: 4px; }
  [hidden] { display: none !important; }
`;
const COMMON_STRINGS = [
  "label", "labelAccessibilityVisibility", "name", "placeholder", "autocomplete", "details", "error", "prefix",
  "suffix", "icon", "minLength", "maxLength", "min", "max", "step", "inputMode", "rows", "currencyCode", "pattern",
  "accessibilityLabel",
];

const fieldHtml = (control) => `
  <div class="field">
    <label class="above" for="control"></label>
    <div class="control"><span class="affix prefix"></span>${control}<span class="affix suffix"></span
      ><slot name="accessory"></slot></div>
    <div class="error" role="alert"></div><slot name="error"></slot>
    <div class="details"></div><slot name="details"></slot>
  </div>`;

function publishValidity(internals, control) {
  if (control.willValidate) internals.setValidity(control.validity, control.validationMessage, control);
  else internals.setValidity({});
}

class Field extends PolarisElement {
  static formAssociated = true;
  static shadow = { delegatesFocus: true };
  static strings = COMMON_STRINGS;
  static flags = ["disabled", "required", "readOnly"];
  static css = FIELD;
  static html = fieldHtml('<input id="control">');
  static inputType = "text";
  static passed = ["placeholder", "autocomplete", "minLength", "maxLength", "min", "max", "step", "rows"];

  static get observedAttributes() {
    return [...super.observedAttributes, "value"];
  }

  setup() {
    this.edited = false;
    this.control = this.part_("#control");
    if (this.control instanceof HTMLInputElement) this.control.type = this.constructor.inputType;
    this.control.addEventListener("input", () => this.take());
    this.control.addEventListener("change", () => {
      this.take();
      this.say("change");
    });
    this.control.addEventListener("keydown", (event) => this.submitOnEnter(event));
  }

  submitOnEnter(event) {
    if (event.key !== "Enter" || event.isComposing || this.control instanceof HTMLTextAreaElement) return;
    this.internals.form?.requestSubmit();
  }

  take() {
    this.edited = true;
    this.publish();
  }

  get value() {
    return this.control.value;
  }

  set value(value) {
    this.edited = true;
    this.control.value = value ?? "";
    this.publish();
  }

  get defaultValue() {
    return this.string("value");
  }

  get form() {
    return this.internals.form;
  }

  publish() {
    this.internals.setFormValue(this.value);
    publishValidity(this.internals, this.control);
  }

  update() {
    for (const name of this.constructor.passed) {
      if (this.string(name)) this.control.setAttribute(lower(name), this.string(name));
      else this.control.removeAttribute(lower(name));
    }
    if (this.control.type === "number" && !this.string("step")) this.control.step = "any";
    this.control.disabled = this.flag("disabled");
    this.control.required = this.flag("required");
    if ("readOnly" in this.control) this.control.readOnly = this.flag("readOnly");
    this.control.ariaLabel = this.string("accessibilityLabel") || null;
    this.fill("label", this.string("label"));
    for (const name of ["prefix", "suffix", "details", "error"]) this.fill(`.${name}`, this.affix(name));
    this.part_(".field").classList.toggle("wrong", Boolean(this.string("error")));
    this.control.ariaInvalid = this.string("error") ? "true" : null;
    if (!this.edited) this.control.value = this.string("value");
    this.publish();
  }

  affix(name) {
    return this.string(name);
  }

  formResetCallback() {
    this.edited = false;
    this.update();
  }

  formDisabledCallback(disabled) {
    this.control.disabled = disabled || this.flag("disabled");
  }

  checkValidity() {
    return this.internals.checkValidity();
  }

  reportValidity() {
    return this.internals.reportValidity();
  }
}

const INPUTS = {
  "s-text-field": "text", "s-email-field": "email", "s-password-field": "password", "s-search-field": "search",
  "s-url-field": "url", "s-number-field": "number", "s-color-field": "text", "s-date-field": "date",
};
for (const [tag, inputType] of Object.entries(INPUTS)) {
  define(tag, class extends Field {
    static inputType = inputType;
  });
}

define("s-money-field", class extends Field {
  static inputType = "number";

  affix(name) {
    const code = this.string("currencyCode");
    return name === "prefix" && code && code !== "auto" ? code : super.affix(name);
  }
});

define("s-text-area", class extends Field {
  static html = fieldHtml('<textarea id="control" rows="2"></textarea>');
});

define("s-date-picker", class extends Field {
  static strings = ["name", "type", "view", "allow", "disallow", "allowDays", "disallowDays", "visibleMonths"];
  static passed = [];
  static html = `
    <div class="field"><label hidden></label>
      <div class="control"><input id="control" type="date" aria-label="Date"
        ><span class="to" hidden>to</span><input class="end" type="date" aria-label="End date" hidden></div>
      <i class="prefix" hidden></i><i class="suffix" hidden></i><i class="details" hidden></i><i class="error" hidden></i>
    </div>`;
  static inputType = "date";

  setup() {
    super.setup();
    this.end = this.part_(".end");
    for (const type of ["input", "change"]) {
      this.end.addEventListener(type, () => {
        this.take();
        if (type === "change") this.say("change");
      });
    }
  }

  get range() {
    return this.string("type") === "range";
  }

  get value() {
    return this.range ? `${this.control.value}--${this.end.value}` : this.control.value;
  }

  set value(value) {
    this.edited = true;
    this.show(value);
    this.publish();
  }

  show(value) {
    const [start = "", end = ""] = String(value ?? "").split("--");
    this.control.value = start;
    this.end.value = end;
  }

  update() {
    for (const part of [".to", ".end"]) this.part_(part).hidden = !this.range;
    if (!this.edited) this.show(this.string("value"));
    this.publish();
  }
});

define("s-color-picker", class extends Field {
  static strings = ["name"];
  static passed = [];
  static inputType = "color";

  update() {
    if (!this.edited) this.control.value = this.string("value") || "#000000";
    for (const part of ["label", ".prefix", ".suffix", ".error", ".details"]) this.fill(part, "");
    this.publish();
  }
});

define("s-drop-zone", class extends Field {
  static strings = ["name", "label", "labelAccessibilityVisibility", "accept", "error", "accessibilityLabel"];
  static flags = ["disabled", "required", "multiple"];
  static passed = ["accept"];
  static inputType = "file";

  get files() {
    return [...this.control.files];
  }

  get value() {
    return this.control.value;
  }

  publish() {
    const data = new FormData();
    for (const file of this.control.files) data.append(this.string("name"), file);
    this.internals.setFormValue(data);
  }

  setup() {
    super.setup();
    this.edited = true; // a file cannot be chosen by an attribute; a reset of the form still clears it
  }

  update() {
    super.update();
    this.control.multiple = this.flag("multiple");
  }
});

define("s-option", class extends PolarisElement {
  static strings = ["value"];
  static flags = ["disabled", "selected", "defaultSelected"];
  static css = ":host { display: none; }";

  update() {
    this.closest("s-select")?.rebuild();
  }
});

define("s-option-group", class extends PolarisElement {
  static strings = ["label"];
  static flags = ["disabled"];
  static css = ":host { display: none; }";

  update() {
    this.closest("s-select")?.rebuild();
  }
});

function nativeOption(option) {
  const made = document.createElement("option");
  made.textContent = option.textContent.trim();
  made.value = option.getAttribute("value") ?? made.textContent;
  made.disabled = option.hasAttribute("disabled");
  made.defaultSelected = option.hasAttribute("selected") || option.hasAttribute("defaultselected");
  return made;
}

function nativeChoice(child) {
  if (child.localName === "s-option") return nativeOption(child);
  const group = document.createElement("optgroup");
  group.label = child.getAttribute("label") ?? "";
  group.disabled = child.hasAttribute("disabled");
  group.append(...[...child.querySelectorAll("s-option")].map(nativeOption));
  return group;
}

define("s-select", class extends Field {
  static html = `${fieldHtml('<select id="control"></select>')}<slot hidden></slot>`;
  static passed = [];

  setup() {
    super.setup();
    const watch = new MutationObserver(() => this.rebuild());
    watch.observe(this, { childList: true, subtree: true, characterData: true });
  }

  rebuild() {
    const kept = this.edited ? this.control.value : null;
    const choices = [...this.children].filter((child) => ["s-option", "s-option-group"].includes(child.localName));
    const placeholder = this.string("placeholder");
    const first = placeholder && !kept ? [Object.assign(new Option(placeholder, "", true), { disabled: true })] : [];
    this.control.replaceChildren(...first, ...choices.map(nativeChoice));
    const wanted = kept ?? this.string("value");
    if (wanted) this.control.value = wanted;
    this.publish();
  }

  update() {
    super.update();
    this.rebuild();
  }
});
