"use strict";
// Without this, the page shows every call below the graph. With it, one at a time beside it.
(() => {
  const articles = [...document.querySelectorAll("article")];
  const box = (number) => document.getElementById("box-" + number);
  if (!articles.length) return;
  document.body.classList.add("scripted");
  const head = document.querySelector("header");
  const measure = () => document.body.style.setProperty("--head", head.offsetHeight + "px");
  measure();
  addEventListener("resize", measure);
  let shown = 0;

  function show(number, focus) {
    const wanted = Math.min(Math.max(number, 1), articles.length);
    articles.forEach((article, index) => { article.hidden = index + 1 !== wanted; });
    if (shown) box(shown)?.removeAttribute("aria-current");
    const current = box(wanted);
    if (current) {
      current.setAttribute("aria-current", "true");
      current.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (focus) current.focus({ preventScroll: true });
    }
    document.querySelector(".calls").scrollTop = 0;
    shown = wanted;
    if (location.hash !== "#call-" + wanted) history.replaceState(null, "", "#call-" + wanted);
  }

  articles.forEach((_, index) => {
    const one = box(index + 1);
    if (!one) return;
    one.setAttribute("tabindex", "0");
    one.setAttribute("role", "button");
    one.setAttribute("aria-label", "call " + one.querySelector("title").textContent.split("\n").join(", "));
    one.addEventListener("click", () => show(index + 1, true));
    one.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        show(index + 1, false);
      }
    });
  });

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const steps = { j: 1, k: -1, Home: -articles.length, End: articles.length };
    if (event.key in steps) {
      event.preventDefault();
      show(shown + steps[event.key], true);
    }
  });

  const asked = () => Number(/^#call-(\d+)$/.exec(location.hash)?.[1] ?? 1);
  addEventListener("hashchange", () => { if (asked() !== shown) show(asked(), false); });
  show(asked(), false);
})();
