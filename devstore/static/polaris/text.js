// ---- text, status and pictures ----------------------------------------------------------------------------------------

const COLORED = `${TONES}
  :host { color: inherit; }
  :host([color="subdued"]) { color: #616161; }
  :host(:is([tone="info"], [tone="success"], [tone="caution"], [tone="warning"], [tone="critical"])) { color: var(--tone); }
  :host([tone="neutral"]) { color: #616161; }
  :host(:is([accessibilityvisibility="exclusive"], [accessibility-visibility="exclusive"])) {
    position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); }
`;

class TextElement extends PolarisElement {
  static strings = ["color", "tone", "type", "accessibilityVisibility", "lineClamp"];
  static styles = TYPE;
  static css = COLORED;

  update() {
    this.internals.ariaHidden = this.string("accessibilityVisibility") === "hidden" ? "true" : null;
  }
}

define("s-text", class extends TextElement {
  static css = `${COLORED}
    :host([type="strong"]) { font-weight: 650; }
    :host([type="address"]) { font-style: normal; white-space: pre-line; }
    :host([type="redundant"]) { text-decoration: line-through; }
  `;
});

define("s-paragraph", class extends TextElement {
  static css = `${COLORED} :host { display: block; }`;

  update() {
    super.update();
    this.internals.role = "paragraph";
  }
});

define("s-number", class extends TextElement {
  static css = `${COLORED} :host { font-variant-numeric: tabular-nums; }`;
});

define("s-heading", class extends TextElement {
  static strings = ["accessibilityRole", "accessibilityVisibility", "lineClamp"];
  static css = `${COLORED} :host { display: block; font-size: 14px; line-height: 1.4; font-weight: 650; }`;
  static html = '<div class="heading"><slot></slot></div>';

  update() {
    super.update();
    const heading = this.part_(".heading");
    heading.role = this.string("accessibilityRole") || "heading";
    heading.ariaLevel = heading.role === "heading" ? String(Math.min(parentSections(this) + 2, 6)) : null;
  }
});

define("s-badge", class extends PolarisElement {
  static strings = ["tone", "color", "size", "icon"];
  static css = `${TONES}
    :host { display: inline-flex; align-items: center; gap: 4px; padding: 2px 8px; border-radius: 8px; font-size: 12px;
            line-height: 16px; font-weight: 550; background: var(--tone-soft); color: var(--tone); white-space: nowrap; }
    :host([color="strong"]) { background: var(--tone); color: #fff; }
  `;
});

const CHIP = `
  :host { display: inline-flex; align-items: center; gap: 4px; padding: 2px 10px; border-radius: 8px; background: #ebebeb;
          border: 1px solid transparent; }
  :host([color="subdued"]) { background: #f7f7f7; }
  :host([color="strong"]) { background: #4a4a4a; color: #fff; }
  button { border: 0; background: none; padding: 0 2px; cursor: pointer; }
`;

class Chip extends PolarisElement {
  static strings = ["color", "accessibilityLabel"];
  static flags = ["removable"];
  static css = CHIP;
  static html = '<slot name="graphic"></slot><slot></slot><button type="button" class="remove" aria-label="Remove">×</button>';

  setup() {
    this.part_(".remove").addEventListener("click", (event) => {
      event.stopPropagation();
      this.say("remove", { bubbles: false });
    });
  }

  update() {
    this.part_(".remove").hidden = !this.flag("removable");
  }
}

define("s-chip", Chip);

class ListElement extends PolarisElement {
  static css = ":host { display: block; padding-inline-start: 20px; }";

  update() {
    this.internals.role = "list";
  }
}

define("s-ordered-list", class extends ListElement {
  static css = ":host { display: block; padding-inline-start: 20px; } ::slotted(s-list-item) { list-style: decimal; }";
});

define("s-unordered-list", class extends ListElement {
  static css = ":host { display: block; padding-inline-start: 20px; } ::slotted(s-list-item) { list-style: disc; }";
});

define("s-list-item", class extends PolarisElement {
  static css = ":host { display: list-item; }";

  update() {
    this.internals.role = "listitem";
  }
});

define("s-banner", class extends PolarisElement {
  static strings = ["tone", "heading"];
  static flags = ["dismissible", "hidden"];
  static css = `${TONES}
    :host { display: block; border-radius: 12px; border: 1px solid var(--tone-line); background: var(--tone-soft);
            color: #303030; }
    .banner { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px 12px; padding: 12px 16px; }
    .heading { font-weight: 650; color: var(--tone); }
    .body { grid-column: 1; }
    .dismiss { grid-column: 2; grid-row: 1; border: 0; background: none; cursor: pointer; font-size: 16px; }
    ::slotted([slot="secondary-actions"]) { margin-block-start: 8px; }
  `;
  static html = `
    <div class="banner">
      <div class="heading" role="heading" aria-level="2"></div>
      <button type="button" class="dismiss" aria-label="Dismiss">×</button>
      <div class="body"><slot></slot><div><slot name="secondary-actions"></slot></div></div>
    </div>`;

  setup() {
    this.part_(".dismiss").addEventListener("click", () => {
      this.hidden = true;
      this.say("dismiss", { bubbles: false });
      this.say("afterhide", { bubbles: false });
    });
  }

  update() {
    this.fill(".heading", this.string("heading"));
    this.part_(".dismiss").hidden = !this.flag("dismissible");
    this.internals.role = ["critical", "warning"].includes(this.string("tone")) ? "alert" : "status";
  }
});

define("s-spinner", class extends PolarisElement {
  static strings = ["size", "accessibilityLabel"];
  static css = `
    :host { display: inline-block; inline-size: 20px; block-size: 20px; vertical-align: middle; }
    :host(:is([size="large"], [size="large-100"])) { inline-size: 40px; block-size: 40px; }
    .ring { display: block; inline-size: 100%; block-size: 100%; border-radius: 50%; border: 3px solid #d9d9d9;
            border-block-start-color: #616161; animation: turn 0.8s linear infinite; }
    @keyframes turn { to { transform: rotate(1turn); } }
    @media (prefers-reduced-motion: reduce) { .ring { animation-duration: 4s; } }
  `;
  static html = '<span class="ring"></span>';

  update() {
    this.internals.role = "status";
    this.internals.ariaLabel = this.string("accessibilityLabel") || "Loading";
  }
});

define("s-progress", class extends PolarisElement {
  static strings = ["accessibilityLabel", "max", "value", "tone"];
  static css = `${TONES}
    :host { display: block; }
    progress { inline-size: 100%; block-size: 8px; accent-color: var(--tone); }
  `;
  static html = "<progress></progress>";

  update() {
    const bar = this.part_("progress");
    bar.max = Number(this.string("max") || 1);
    if (this.string("value") === "") bar.removeAttribute("value");
    else bar.value = Number(this.string("value"));
    bar.ariaLabel = this.string("accessibilityLabel") || null;
  }
});

const GLYPHS = {
  "alert-circle": "!", "alert-triangle": "!", "arrow-down": "↓", "arrow-left": "←", "arrow-right": "→", "arrow-up": "↑",
  "check": "✓", "check-circle": "✓", "chevron-down": "⌄", "chevron-right": "›", "delete": "×", "edit": "✎",
  "info": "i", "menu-horizontal": "…", "minus": "−", "plus": "+", "question-circle": "?", "refresh": "↻",
  "search": "⌕", "settings": "⚙", "sort": "↕", "x": "×", "external": "↗", "calendar": "▦", "person": "☺",
};

define("s-icon", class extends PolarisElement {
  static strings = ["type", "tone", "color", "size"];
  static css = `${COLORED}
    :host { display: inline-grid; place-items: center; inline-size: 20px; block-size: 20px; font-weight: 650; }
    :host([size="small"]) { inline-size: 16px; block-size: 16px; font-size: 11px; }
  `;
  static html = '<span aria-hidden="true"></span>';

  update() {
    this.part_("span").textContent = GLYPHS[this.string("type")] ?? "•";
  }
});

class Picture extends PolarisElement {
  static strings = ["src", "srcset", "sizes", "alt", "loading", "size", "aspectRatio", "objectFit"];
  static styles = { borderRadius: BOX.borderRadius, border: BOX.border };
  static css = `
    :host { display: block; overflow: hidden; }
    img { display: block; inline-size: 100%; block-size: 100%; object-fit: contain; }
    :host([objectfit="cover"]) img { object-fit: cover; }
  `;
  static html = "<img>";

  setup() {
    for (const type of ["load", "error"]) {
      this.part_("img").addEventListener(type, () => this.say(type, { bubbles: false }));
    }
  }

  update() {
    const image = this.part_("img");
    for (const name of ["src", "srcset", "sizes", "loading"]) {
      if (this.string(name)) image.setAttribute(name, this.string(name));
    }
    image.alt = this.string("alt");
    image.hidden = !this.string("src");
  }
}

define("s-image", Picture);

define("s-thumbnail", class extends Picture {
  static css = `
    :host { display: inline-block; inline-size: 40px; block-size: 40px; border-radius: 8px; border: 1px solid #e3e3e3;
            background: #f7f7f7; overflow: hidden; }
    :host([size="small"]) { inline-size: 32px; block-size: 32px; }
    :host([size^="large"]) { inline-size: 60px; block-size: 60px; }
    img { display: block; inline-size: 100%; block-size: 100%; object-fit: contain; }
  `;
});

define("s-avatar", class extends PolarisElement {
  static strings = ["src", "alt", "initials", "size"];
  static css = `
    :host { display: inline-grid; place-items: center; inline-size: 28px; block-size: 28px; border-radius: 8px;
            background: #dfe7ef; font-weight: 600; font-size: 12px; overflow: hidden; }
    :host([size^="large"]) { inline-size: 40px; block-size: 40px; }
    img { inline-size: 100%; block-size: 100%; object-fit: cover; }
  `;
  static html = '<img hidden><span></span>';

  update() {
    const image = this.part_("img");
    image.hidden = !this.string("src");
    if (this.string("src")) image.src = this.string("src");
    this.fill("span", this.string("src") ? "" : this.string("initials"));
    this.internals.role = "img";
    this.internals.ariaLabel = this.string("alt") || this.string("initials") || null;
  }
});
