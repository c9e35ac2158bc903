// ---- checkbox, switch and choice lists ------------------------------------------------------------------------------------

const CHECK = `
  :host { display: block; }
  label { display: flex; align-items: center; gap: 8px; cursor: pointer; }
  :host([disabled]) label { color: #8a8a8a; cursor: default; }
  input { inline-size: 16px; block-size: 16px; margin: 0; accent-color: #303030; flex: none; }
  .error { color: #a3131d; }
  .details { color: #616161; }
  .error, .details { padding-inline-start: 24px; }
  [hidden] { display: none !important; }
`;

class Check extends PolarisElement {
  static formAssociated = true;
  static shadow = { delegatesFocus: true };
  static strings = ["label", "labelAccessibilityVisibility", "name", "details", "error", "accessibilityLabel", "value"];
  static flags = ["disabled", "required", "defaultChecked"];
  static css = CHECK;
  static html = `
    <label><input type="checkbox"><span class="label"></span></label>
    <div class="error" role="alert"></div><slot name="error"></slot>
    <div class="details"></div><slot name="details"></slot>`;

  static get observedAttributes() {
    return [...super.observedAttributes, "checked", "indeterminate"];
  }

  setup() {
    this.edited = false;
    this.control = this.part_("input");
    this.control.addEventListener("input", () => this.take());
    this.control.addEventListener("change", () => this.say("change"));
  }

  take() {
    this.edited = true;
    this.publish();
  }

  get checked() {
    return this.control.checked;
  }

  set checked(checked) {
    this.control.checked = Boolean(checked);
    this.take();
  }

  get form() {
    return this.internals.form;
  }

  publish() {
    this.internals.setFormValue(this.control.checked ? this.string("value") || "on" : null);
    publishValidity(this.internals, this.control);
  }

  update() {
    const hiddenLabel = this.string("labelAccessibilityVisibility") === "exclusive";
    this.fill(".label", hiddenLabel ? "" : this.string("label"));
    this.control.ariaLabel = this.string("accessibilityLabel") || (hiddenLabel ? this.string("label") : null);
    for (const name of ["error", "details"]) this.fill(`.${name}`, this.string(name));
    this.control.disabled = this.flag("disabled");
    this.control.required = this.flag("required");
    this.control.indeterminate = this.flag("indeterminate");
    if (!this.edited) this.control.checked = this.flag("checked") || this.flag("defaultChecked");
    this.publish();
  }

  formResetCallback() {
    this.edited = false;
    this.update();
  }
}

define("s-checkbox", Check);

define("s-switch", class extends Check {
  static css = `${CHECK}
    label { justify-content: space-between; }
    input { appearance: none; inline-size: 32px; block-size: 20px; border-radius: 10px; background: #b5b5b5;
            position: relative; order: 2; cursor: inherit; }
    input::after { content: ""; position: absolute; inset: 3px auto 3px 3px; inline-size: 14px; border-radius: 50%;
                   background: #fff; transition: translate 0.1s; }
    input:checked { background: #303030; }
    input:checked::after { translate: 12px; }
    .error, .details { padding-inline-start: 0; }
  `;

  setup() {
    super.setup();
    this.control.role = "switch";
  }
});

define("s-choice", class extends PolarisElement {
  static strings = ["value", "accessibilityLabel"];
  static flags = ["disabled", "selected", "defaultSelected"];
  static shadow = { delegatesFocus: true };
  static css = CHECK;
  static html = `
    <label><input type="radio"><slot></slot></label>
    <div class="details"><slot name="details"></slot></div><slot name="secondary-content"></slot>`;

  setup() {
    this.control = this.part_("input");
    this.control.addEventListener("change", () => this.closest("s-choice-list")?.choose(this, this.control.checked));
  }

  update() {
    this.control.checked = this.flag("selected");
    this.control.disabled = this.flag("disabled") || Boolean(this.closest("s-choice-list")?.hasAttribute("disabled"));
    this.control.ariaLabel = this.string("accessibilityLabel") || null;
    this.closest("s-choice-list")?.publish();
  }
});

define("s-choice-list", class extends PolarisElement {
  static formAssociated = true;
  static strings = ["label", "labelAccessibilityVisibility", "name", "details", "error"];
  static flags = ["disabled", "multiple"];
  static css = `
    fieldset { border: 0; margin: 0; padding: 0; display: grid; gap: 6px; }
    legend { padding: 0; margin-block-end: 4px; }
    .error { color: #a3131d; }
    .details { color: #616161; }
    [hidden] { display: none !important; }
  `;
  static html = `<fieldset><legend></legend><div class="details"></div><slot></slot
    ><div class="error" role="alert"></div></fieldset>`;

  get choices() {
    return [...this.querySelectorAll("s-choice")];
  }

  get values() {
    return this.choices.filter((choice) => choice.hasAttribute("selected")).map((choice) => choice.getAttribute("value"));
  }

  set values(values) {
    for (const choice of this.choices) choice.toggleAttribute("selected", values.includes(choice.getAttribute("value")));
    this.publish();
  }

  choose(chosen, checked) {
    for (const choice of this.choices) {
      if (choice === chosen) choice.toggleAttribute("selected", checked);
      else if (!this.flag("multiple")) choice.removeAttribute("selected");
    }
    this.publish();
    this.say("input");
    this.say("change");
  }

  publish() {
    const data = new FormData();
    for (const value of this.values) data.append(this.string("name"), value ?? "");
    this.internals.setFormValue(this.string("name") ? data : null);
  }

  update() {
    const visible = this.string("labelAccessibilityVisibility") !== "exclusive";
    this.fill("legend", visible ? this.string("label") : "");
    this.part_("fieldset").ariaLabel = this.string("label") || null;
    for (const name of ["error", "details"]) this.fill(`.${name}`, this.string(name));
    const type = this.flag("multiple") ? "checkbox" : "radio";
    for (const choice of this.choices) if (choice.control) choice.control.type = type;
    this.publish();
  }
});
