// ---- layout: page, section, stack, grid, box and their kind ---------------------------------------------------------

const parentSections = (element) => {
  let depth = 0;
  for (let node = element.parentElement; node; node = node.parentElement) depth += node.localName === "s-section";
  return depth;
};

define("s-page", class extends PolarisElement {
  static strings = ["heading", "inlineSize"];
  static css = `
    :host { display: block; background: #f1f1f1; min-block-size: 100vh; container-type: inline-size; }
    .page { max-inline-size: 998px; margin-inline: auto; padding: 20px 16px 40px; display: grid; gap: 16px; }
    :host(:is([inlinesize="large"], [inline-size="large"])) .page { max-inline-size: none; }
    :host(:is([inlinesize="small"], [inline-size="small"])) .page { max-inline-size: 660px; }
    header { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; }
    h1 { font-size: 20px; line-height: 28px; font-weight: 650; margin: 0; }
    .actions { display: flex; flex-wrap: wrap; gap: 8px; margin-inline-start: auto; }
    main { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); align-items: start; }
    .content { display: grid; gap: 16px; grid-template-columns: minmax(0, 1fr); }
    .aside { display: grid; gap: 16px; align-content: start; }
    @container (inline-size >= 760px) {
      main.with-aside { grid-template-columns: minmax(0, 2fr) minmax(0, 1fr); }
    }
  `;
  static html = `
    <div class="page">
      <slot name="supplemental-start"></slot>
      <header>
        <slot name="breadcrumb-actions"></slot><h1></h1>
        <div class="actions"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div>
      </header>
      <main><div class="content"><slot></slot></div><div class="aside"><slot name="aside"></slot></div></main>
    </div>`;

  update() {
    this.fill("h1", this.string("heading"));
    const aside = this.querySelector(':scope > [slot="aside"]') !== null;
    this.part_("main").classList.toggle("with-aside", aside);
    this.part_(".aside").hidden = !aside;
  }
});

define("s-section", class extends PolarisElement {
  static strings = ["heading", "subheading", "padding", "accessibilityLabel"];
  static css = `
    :host { display: block; background: #fff; border-radius: 12px; border: 1px solid #e3e3e3; min-inline-size: 0;
            box-shadow: 0 1px 0 rgb(0 0 0 / 5%); }
    :host([data-nested]) { border: 0; box-shadow: none; border-radius: 0; }
    .body { padding: 16px; display: flow-root; }
    :host([data-nested]) .body, :host([padding="none"]) .body { padding: 0; }
    .body > ::slotted(*:not(:last-child)) { margin-block-end: 12px; }
    header { display: flex; flex-wrap: wrap; align-items: center; gap: 8px; padding: 16px 16px 0; }
    :host([data-nested]) header { padding: 0 0 8px; }
    :host([padding="none"]) header { padding-block-end: 12px; }
    header:not([hidden]) + .body { padding-block-start: 12px; }
    :host([padding="none"]) header:not([hidden]) + .body { padding-block-start: 0; }
    .title { font-size: 14px; line-height: 20px; font-weight: 650; }
    .subheading { flex-basis: 100%; color: #616161; }
    .actions { margin-inline-start: auto; display: flex; gap: 8px; }
  `;
  static html = `
    <section>
      <header>
        <slot name="graphic"></slot><div class="title"></div><slot name="accessory"></slot>
        <div class="actions"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div>
        <div class="subheading"></div>
      </header>
      <div class="body"><slot></slot><slot name="supplemental"></slot></div>
    </section>`;

  update() {
    const depth = parentSections(this);
    this.toggleAttribute("data-nested", depth > 0);
    const heading = this.string("heading");
    const title = this.part_(".title");
    title.role = "heading";
    title.ariaLevel = String(Math.min(depth + 2, 6));
    this.fill(".title", heading);
    this.fill(".subheading", this.string("subheading"));
    this.part_("header").hidden = !heading && !this.querySelector(":scope > [slot]");
    this.part_("section").ariaLabel = this.string("accessibilityLabel") || heading || null;
  }
});

define("s-stack", class extends PolarisElement {
  static strings = ["direction", "accessibilityRole", "accessibilityLabel"];
  static styles = { ...BOX, ...FLOW };
  static css = `
    :host { display: flex; flex-direction: column; min-inline-size: 0; }
    :host([direction="inline"]) { flex-direction: row; flex-wrap: wrap; }
  `;

  update() {
    const role = this.string("accessibilityRole");
    if (role) this.internals.role = role;
    this.internals.ariaLabel = this.string("accessibilityLabel") || null;
  }
});

const GRID = {
  gridTemplateColumns: ["grid-template-columns", raw],
  gridTemplateRows: ["grid-template-rows", raw],
  justifyItems: ["justify-items", raw],
  placeContent: ["place-content", raw],
  placeItems: ["place-items", raw],
};

define("s-grid", class extends PolarisElement {
  static styles = { ...BOX, ...FLOW, ...GRID };
  static css = ":host { display: grid; min-inline-size: 0; }";
});

define("s-grid-item", class extends PolarisElement {
  static styles = { ...BOX, gridColumn: ["grid-column", raw], gridRow: ["grid-row", raw] };
  static css = ":host { display: block; min-inline-size: 0; }";
});

define("s-box", class extends PolarisElement {
  static strings = ["accessibilityRole", "accessibilityLabel"];
  static styles = BOX;
  static css = ":host { display: block; min-inline-size: 0; }";

  update() {
    const role = this.string("accessibilityRole");
    if (role) this.internals.role = role;
    this.internals.ariaLabel = this.string("accessibilityLabel") || null;
  }
});

define("s-scroll-box", class extends PolarisElement {
  static strings = ["accessibilityRole", "accessibilityLabel", "snapType"];
  static styles = BOX;
  static css = ":host { display: block; overflow: auto; }";
});

define("s-query-container", class extends PolarisElement {
  static strings = ["containerName"];
  static css = ":host { display: block; container-type: inline-size; }";
});

define("s-divider", class extends PolarisElement {
  static strings = ["direction", "color"];
  static css = `
    :host { display: block; border-block-start: 1px solid #e3e3e3; }
    :host([color="strong"]) { border-color: #b5b5b5; }
    :host([direction="block"]) { border-block-start: 0; border-inline-start: 1px solid #e3e3e3; align-self: stretch; }
  `;
  static html = "";

  update() {
    this.internals.role = "separator";
    this.internals.ariaOrientation = this.string("direction") === "block" ? "vertical" : "horizontal";
  }
});

define("s-empty-state", class extends PolarisElement {
  static strings = ["heading"];
  static css = `
    :host { display: grid; justify-items: center; gap: 12px; padding: 40px 16px; text-align: center; }
    h3 { margin: 0; font-size: 16px; line-height: 24px; }
    .actions { display: flex; flex-wrap: wrap; gap: 8px; justify-content: center; }
  `;
  static html = `
    <slot name="graphic"></slot><h3></h3><slot name="subheading"></slot><slot></slot>
    <div class="actions"><slot name="secondary-actions"></slot><slot name="primary-action"></slot></div>`;

  update() {
    this.fill("h3", this.string("heading"));
  }
});
