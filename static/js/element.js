// Makes an element. Text goes in as text, never as HTML: names come from files and callers.
export function element(tag, properties = {}, ...children) {
  const { data, ...rest } = properties;
  const made = Object.assign(document.createElement(tag), rest);
  Object.assign(made.dataset, data);
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}
