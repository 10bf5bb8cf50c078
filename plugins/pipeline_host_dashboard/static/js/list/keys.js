/** The keys of the list. */

/** @param {object} list what the keys act on */
export function shortcuts(list) {
  const onRow = (act) => () => {
    const row = list.focused();
    return row ? act(row) : false;
  };
  return {
    j: { run: () => list.move(1), help: "Next row" },
    k: { run: () => list.move(-1), help: "Row before" },
    ArrowDown: { run: onRow(() => list.move(1)) },
    ArrowUp: { run: onRow(() => list.move(-1)) },
    Enter: { run: () => false, help: "Open the row" },
    ArrowRight: { run: onRow((row) => list.toggle(row, true)), help: "Show a row's parts" },
    ArrowLeft: { run: onRow((row) => list.toggle(row, false)), help: "Hide a row's parts" },
    c: { run: onRow((row) => void list.cancel(row)), help: "Cancel the row's process" },
    "/": { run: () => list.focusSearch(), help: "Search" },
  };
}
