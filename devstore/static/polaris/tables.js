// ---- tables: CSS table boxes and table roles on the app's own elements; a list where there is little room --------------------

const NARROW = "(inline-size < 490px)";
const part = (tag, role, css, extra = {}) =>
  define(tag, class extends PolarisElement {
    static css = css;
    static html = extra.html ?? "<slot></slot>";
    static strings = extra.strings ?? [];

    update() {
      this.role = role;
      this.closest("s-table")?.schedule?.();
    }
  });

part("s-table-header-row", "row", `
  :host { display: table-row; background: #f7f7f7; color: #616161; }
  @container ${NARROW} { :host { display: none; } }
`);
part("s-table-header", "columnheader", `
  :host { display: table-cell; padding: 8px 16px; font-size: 12px; font-weight: 550; text-align: start; white-space: nowrap;
          border-block-end: 1px solid #e3e3e3; }
`, { strings: ["listSlot", "format"] });
part("s-table-body", "rowgroup", `
  :host { display: table-row-group; }
  @container ${NARROW} { :host { display: block; } }
`);
part("s-table-row", "row", `
  :host { display: table-row; }
  :host(:hover) { background: #fafafa; }
  @container ${NARROW} { :host { display: block; padding: 10px 16px; border-block-end: 1px solid #ebebeb; } }
`, { strings: ["clickDelegate"] });
part("s-table-cell", "cell", `
  :host { display: table-cell; padding: 8px 16px; vertical-align: middle; border-block-end: 1px solid #ebebeb; }
  :host(:state(numeric)) { text-align: end; font-variant-numeric: tabular-nums; white-space: nowrap; }
  .label { display: none; color: #616161; }
  @container ${NARROW} {
    :host { display: flex; justify-content: space-between; gap: 12px; padding: 2px 0; border: 0; }
    :host(:state(primary)) { font-weight: 650; }
    .label { display: inline; }
    :host(:state(primary)) .label { display: none; }
  }
`, { html: '<span class="label" aria-hidden="true"></span><slot></slot>' });

define("s-table", class extends PolarisElement {
  static strings = ["variant"];
  static flags = ["loading", "paginate", "hasNextPage", "hasPreviousPage"];
  static css = `
    :host { display: block; container-type: inline-size; }
    .scroll { overflow-x: auto; }
    .grid { display: table; inline-size: 100%; border-collapse: collapse; }
    :host([loading]) .grid { opacity: 0.5; }
    nav { display: flex; justify-content: center; gap: 8px; padding: 8px; }
    nav button { border: 1px solid #c9c9c9; border-radius: 8px; background: #fff; padding: 4px 12px; cursor: pointer; }
    nav button:disabled { color: #b5b5b5; cursor: default; }
    @container ${NARROW} { .grid { display: block; } }
    [hidden] { display: none !important; }
  `;
  static html = `
    <slot name="filters"></slot>
    <div class="scroll"><div class="grid"><slot></slot></div></div>
    <nav aria-label="Pages"><button type="button" value="previouspage" aria-label="Previous page">‹</button
      ><button type="button" value="nextpage" aria-label="Next page">›</button></nav>`;

  setup() {
    this.scheduled = false;
    for (const button of this.root.querySelectorAll("nav button")) {
      button.addEventListener("click", () => this.say(button.value, { bubbles: false }));
    }
  }

  schedule() {
    if (this.scheduled) return;
    this.scheduled = true;
    queueMicrotask(() => {
      this.scheduled = false;
      this.dress();
    });
  }

  /* Give each cell what its column's header says: numeric alignment, and its label where the table is a list. */
  dress() {
    const headers = [...this.querySelectorAll("s-table-header")];
    for (const row of this.querySelectorAll("s-table-row")) {
      [...row.children].forEach((cell, index) => this.dressCell(cell, headers[index]));
    }
    for (const header of headers) header.style.textAlign = this.numeric(header) ? "end" : "";
  }

  numeric(header) {
    return ["numeric", "currency"].includes(header?.string("format"));
  }

  dressCell(cell, header) {
    if (!cell.internals || !header) return;
    const states = cell.internals.states;
    for (const [state, on] of [["numeric", this.numeric(header)], ["primary", header.string("listSlot") === "primary"]]) {
      if (on) states.add(state);
      else states.delete(state);
    }
    cell.part_(".label")?.replaceChildren(header.textContent.trim());
  }

  update() {
    this.role = "table";
    this.internals.ariaBusy = this.flag("loading") ? "true" : null;
    this.part_("nav").hidden = !this.flag("paginate");
    this.part_('[value="nextpage"]').disabled = !this.flag("hasNextPage");
    this.part_('[value="previouspage"]').disabled = !this.flag("hasPreviousPage");
    this.schedule();
  }
});
