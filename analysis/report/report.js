// Everything here is convenience: the report reads, prints and links the same without it.
(() => {
  "use strict";
  document.documentElement.classList.add("js");
  const wide = matchMedia("(min-width: 70rem)");
  const contents = document.getElementById("contents");
  const fold = () => { contents.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  contents.addEventListener("click", (event) => {
    if (!wide.matches && event.target.closest("a")) contents.open = false;
  });

  // A link into a folded part opens it.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let at = target; at; at = at.parentElement) if (at.localName === "details") at.open = true;
  };
  addEventListener("hashchange", reveal);
  reveal();

  // On paper nothing is folded but the law, which the appendix prints once.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open]):not(.law)")];
    for (const item of folded) item.open = true;
  });
  addEventListener("afterprint", () => {
    for (const item of folded) item.open = false;
  });

  const form = document.getElementById("filter");
  if (!form) return;
  form.hidden = false;
  const field = (name) => document.getElementById(`filter-${name}`);
  const inputs = { text: field("text"), code: field("code"), stance: field("stance"), confidence: field("confidence") };
  const result = field("result");
  const plain = (text) => text.toLowerCase().replace(/[‘’]/g, "'").replace(/[“”]/g, '"').replace(/\s+/g, " ");
  let index = null;

  const build = () => [...document.querySelectorAll(".dossier")].map((dossier) => ({
    node: dossier,
    name: plain(dossier.querySelector("h3").textContent),
    groups: [...dossier.querySelectorAll(".code")].map((group) => ({
      node: group,
      columns: [...group.querySelectorAll(".columns > div")],
      items: [...group.querySelectorAll(".ind")].map((item) => ({ node: item, words: null })),
    })),
  }));

  const fits = (item, wanted) => {
    const data = item.node.dataset;
    if (wanted.code && data.code !== wanted.code) return false;
    if (wanted.stance && data.stance !== wanted.stance) return false;
    if (wanted.confidence && Number(data.confidence) < wanted.confidence) return false;
    if (!wanted.words.length) return true;
    item.words ??= plain(item.node.textContent);
    return wanted.words.every((word) => item.words.includes(word));
  };

  const apply = () => {
    index ??= build();
    const text = plain(inputs.text.value.trim());
    const wanted = {
      words: text ? text.split(" ") : [],
      code: inputs.code.value,
      stance: inputs.stance.value,
      confidence: Number(inputs.confidence.value),
    };
    const any = wanted.words.length || wanted.code || wanted.stance || wanted.confidence;
    let shown = 0, services = 0;
    for (const dossier of index) {
      const named = wanted.words.length > 0 && wanted.words.every((word) => dossier.name.includes(word));
      const left = named ? { ...wanted, words: [] } : wanted;
      let here = 0;
      for (const group of dossier.groups) {
        let inGroup = 0;
        for (const item of group.items) {
          const fit = !any || fits(item, left);
          item.node.hidden = !fit;
          inGroup += fit;
        }
        for (const column of group.columns) column.hidden = Boolean(any) && !column.querySelector(".ind:not([hidden])");
        group.node.hidden = Boolean(any) && !inGroup;
        here += inGroup;
      }
      const bare = named && !wanted.code && !wanted.stance && !wanted.confidence;
      dossier.node.hidden = Boolean(any) && !here && !bare;
      dossier.node.classList.toggle("narrowed", Boolean(any));
      shown += here;
      services += !dossier.node.hidden;
    }
    result.textContent = any ? `${shown} passages of ${services} services fit.` : "";
  };

  let waiting = 0;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(apply, 150); };
  form.addEventListener("input", soon);
  form.addEventListener("reset", soon);
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
})();
