// Which page is shown: the overview, or one that the address names after "#", such as #incident/7. An address that
// names no page is a place on the overview.

const pages = new Map();

/** Add a page: `#NAME/REST` calls show(REST), and leave() when another page is shown. */
export function addPage(name, page) {
  pages.set(name, page);
}

let current = null;

/** Return the page that is shown, null for the overview: {name, rest, page}. */
export function currentPage() {
  return current;
}

function wanted() {
  const match = /^#([a-z-]+)\/(.*)$/.exec(location.hash);
  return match && pages.has(match[1]) ? { name: match[1], rest: decodeHash(match[2]), page: pages.get(match[1]) } : null;
}

/** Return a part of the address as it was meant; a part that is no encoding stays as it is. */
export function decodeHash(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function follow() {
  const next = wanted();
  const moved = next?.name !== current?.name || next?.rest !== current?.rest;
  if (current && moved) current.page.leave();
  document.body.classList.toggle("on-page", next !== null);
  document.getElementById("page").hidden = next === null;
  current = next;
  if (!next || !moved) return;
  window.scrollTo(0, 0);
  next.page.show(next.rest);
}

/** Show the page of the address now and whenever it changes. */
export function route() {
  window.addEventListener("hashchange", follow);
  follow();
}
