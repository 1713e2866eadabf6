// Text with its entities as elements. Texts of users become text nodes only, never markup.

export const HUES = 6;

/** The text between two places as a string; places count code points, as the service does. */
export const cut = (points, start, end) => points.slice(start, end).join("");

/** Numbers the types in the order in which they turn up: a type has one colour. */
export function hueOf(types) {
  return (type) => {
    if (!types.has(type)) types.set(type, types.size);
    return types.get(type) % HUES;
  };
}

/**
 * Fills an element with a text whose entities are marked. One within another's characters stands
 * within its mark; one that overlaps another in part begins where that one ends.
 */
export function mark(into, text, entities, hue) {
  const points = Array.from(text);
  into.replaceChildren();
  let position = 0;
  const open = [];
  const inner = () => (open.length ? open[open.length - 1].element : into);
  const write = (end) => {
    if (end > position) inner().append(cut(points, position, end));
    position = Math.max(position, end);
  };
  const closeUpTo = (place) => {
    while (open.length && open[open.length - 1].entity.end <= place) {
      const { entity, element } = open[open.length - 1];
      write(entity.end);
      const label = document.createElement("small");
      label.textContent = `${entity.type} ${entity.score.toFixed(2)}`;
      element.append(label);
      open.pop();
    }
  };
  const sorted = [...entities].sort((a, b) => a.start - b.start || b.end - a.end);
  for (const entity of sorted) {
    closeUpTo(entity.start);
    while (open.length && entity.end > open[open.length - 1].entity.end) {
      closeUpTo(open[open.length - 1].entity.end);
    }
    const start = Math.max(position, entity.start);
    if (start >= entity.end) continue;
    write(start);
    const element = document.createElement("mark");
    element.className = `hue${hue(entity.type)}`;
    element.dataset.type = entity.type;
    element.tabIndex = 0;
    const by = entity.model ? `, by ${entity.model}` : "";
    element.title = `${entity.type}, probability ${entity.score.toFixed(4)}${by}`;
    element.setAttribute("aria-label", `${entity.text}: ${element.title}`);
    inner().append(element);
    open.push({ entity, element });
  }
  closeUpTo(points.length);
  write(points.length);
}
