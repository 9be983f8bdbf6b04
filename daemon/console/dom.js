// Building and patching the page. Every value from outside becomes a text node or a plain attribute, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: h("p", {class: "quiet"}, "text", child, [more]). Null, undefined and false are left out. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Make an SVG element. */
export function s(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    element.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

/**
 * Make the children of `parent` look like `fresh`, keeping the nodes that are there already, so that focus, scroll
 * positions and open details survive. `data-key` tells which child is which; what lies in an element with `data-own`
 * belongs to somebody else and is left alone.
 */
export function patch(parent, ...fresh) {
  const wanted = fresh.flat(Infinity).filter((node) => node !== null && node !== undefined && node !== false);
  const keyed = new Map();
  for (const child of parent.children) if (child.dataset.key) keyed.set(child.dataset.key, child);
  let at = parent.firstChild;
  for (const item of wanted) {
    const node = item instanceof Node ? item : document.createTextNode(String(item));
    const key = node.dataset?.key;
    const found = key ? keyed.get(key) : at?.dataset?.key ? null : at;
    if (found && isSame(found, node)) {
      if (found === at) at = at.nextSibling;
      else parent.insertBefore(found, at);
      update(found, node);
    } else {
      parent.insertBefore(node, at);
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function isSame(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && old.dataset?.key === fresh.dataset?.key;
}

function update(old, fresh) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (fresh.hasAttribute("data-own")) return;
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  patch(old, [...fresh.childNodes]);
}
