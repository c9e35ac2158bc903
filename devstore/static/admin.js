/* Every page of the admin: opening the sidebar on a narrow screen, and keeping live parts of a page up to date. */
(() => {
  "use strict";

  const button = document.querySelector("[data-sidebar-toggle]");

  function setSidebar(open) {
    document.body.classList.toggle("sidebar-open", open);
    button.setAttribute("aria-expanded", String(open));
  }

  button?.addEventListener("click", () => setSidebar(!document.body.classList.contains("sidebar-open")));
  document.addEventListener("keydown", (event) => event.key === "Escape" && button && setSidebar(false));
  document.querySelector(".sidebar")?.addEventListener("click", (event) => event.target.closest("a") && setSidebar(false));

  /* Fetch this page again and swap its parts marked data-live; a part is left alone while it says the same. */
  async function refresh() {
    const response = await fetch(window.location.href, { headers: { Accept: "text/html" } });
    if (!response.ok) return response.status;
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const replacement = next.getElementById(part.id);
      if (replacement && replacement.innerHTML !== part.innerHTML) part.innerHTML = replacement.innerHTML;
    }
    return response.status;
  }

  window.devstore = { refresh };

  const every = Number(document.body.dataset.refreshMs);
  if (every) setInterval(() => document.visibilityState === "visible" && refresh().catch(() => undefined), every);
})();
