// Import: choose a file, see the report of its validation, then confirm.
import { element } from "./element.js";
import { field, form, head, panel, table } from "./office.js";
import { page, ready } from "./page.js";
import { upload, write } from "./server.js";
import { number, say, translated } from "./text.js";

const main = head();
const CRS = [
  ["", say("crsOfFile")],
  ["EPSG:4490", "CGCS2000 (EPSG:4490)"],
  ["EPSG:4326", "WGS 84 (EPSG:4326)"],
  ["GCJ-02", say("crsGcj02")],
  ["BD-09", say("crsBd09")],
  ["EPSG:4547", "CGCS2000 / 3° GK 114E (EPSG:4547)"],
  ["EPSG:3857", "Web Mercator (EPSG:3857)"],
];
const layerOf = name => {
  const found = page.layers.find(layer => layer.name === name);
  if (!found) throw new Error(name);
  return found;
};
/** @param {string[]} of its value and what is shown */
const option = ([value, textContent]) => element("option", { value, textContent });
const layers = element(
  "select",
  {
    name: "layer",
    onchange: () => {
      mapping.replaceChildren();
    },
  },
  ...page.layers.map(one => option([one.name, translated(one, "title")])),
);
const file = element("input", { name: "file", type: "file", required: true, accept: page.formats.join(",") });
const mapping = element("div", { className: "mapping" });
const bar = element("progress", { max: 1, value: 0, hidden: true });
const state = element("p", { className: "quiet", hidden: true });
state.setAttribute("role", "status");
const result = element("div", { className: "wide" });

const asking = form(
  [
    element("label", {}, say("layer"), layers),
    element("label", {}, say("fileOrDrop"), file),
    element("label", {}, say("coordinates"), element("select", { name: "source_crs" }, ...CRS.map(option))),
    element(
      "details",
      {},
      element("summary", { textContent: say("columns") }),
      mapping,
      field(say("longitudeColumn"), "lon_column"),
      field(say("latitudeColumn"), "lat_column"),
      element(
        "label",
        { className: "check" },
        element("input", { type: "checkbox", name: "received_now", value: "true" }),
        say("rowsWithoutTimeCountFromNow"),
      ),
    ),
    element(
      "details",
      {},
      element("summary", { textContent: say("howItIsWritten") }),
      field(say("encoding"), "encoding"),
      field(say("formOfTimes"), "datetime_format"),
      field(say("separator"), "separator"),
      field(say("decimalSign"), "decimal"),
    ),
    bar,
    state,
  ],
  say("check"),
  async () => {
    result.replaceChildren();
    show(await send(new FormData(asking)));
  },
);
const chosen = panel(
  say("importAFile"),
  element("p", { className: "quiet", textContent: say("importIsCheckedFirst") }),
  asking,
);
chosen.classList.add("wide");
main.append(chosen, result);

document.addEventListener("dragover", event => event.preventDefault());
document.addEventListener("drop", event => {
  event.preventDefault();
  if (event.dataTransfer?.files.length) file.files = event.dataTransfer.files;
});

async function send(given) {
  const columns = {};
  for (const select of mapping.querySelectorAll("select")) {
    given.delete(select.name);
    if (select.value) columns[select.dataset.field] = select.value;
  }
  given.set("columns", JSON.stringify(columns));
  bar.hidden = state.hidden = false;
  try {
    return await upload("/imports", given, share => {
      state.textContent = share < 1 ? say("sending") : say("checking");
      if (share < 1) bar.value = share;
      else bar.removeAttribute("value");
    });
  } catch (error) {
    const rows = (error.errors ?? [])
      .filter(one => one.row)
      .slice(0, 200)
      .map(({ row, detail: reason }) => ({ row, reason }));
    if (rows.length) result.replaceChildren(bad(rows, rows.length));
    throw error;
  } finally {
    bar.hidden = state.hidden = true;
  }
}

const bad = (rows, count) =>
  panel(
    say("rowsAreBad", { count: number(count) }),
    table(
      [say("row"), say("reason")],
      rows.map(({ row, reason }) => [row ?? "", reason]),
    ),
  );

function show(report) {
  map(report);
  const { importable, rows, bad_row_count: wrong, duplicates, unassigned, notes } = report;
  const problem = element("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const skip = element("input", { type: "checkbox", name: "skip_invalid" });
  const isCertain = element("input", { type: "checkbox", name: "crs_is_certain" });
  const confirm = element("button", {
    className: "action",
    textContent: say("importRows", { count: number(importable) }),
  });
  const judge = () => {
    confirm.disabled =
      !importable || (wrong > 0 && !skip.checked) || (Boolean(report.datum_doubt) && !isCertain.checked);
  };
  skip.onchange = isCertain.onchange = judge;
  judge();
  const act = work => async () => {
    confirm.disabled = true;
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      confirm.disabled = false;
    }
  };
  confirm.onclick = act(async () => {
    const done = await write("POST", `/imports/${report.import_id}/confirmation`, {
      skip_invalid: skip.checked,
      crs_is_certain: isCertain.checked,
    });
    result.replaceChildren(
      panel(
        say("imported"),
        element("p", {
          className: "good",
          textContent: say("rowsAreIn", {
            count: number(done.importable),
            layer: translated(layerOf(done.layer), "title"),
          }),
        }),
        element("a", {
          className: "action",
          href: `/collections/${done.layer}/items?f=html`,
          textContent: say("look"),
        }),
      ),
    );
    asking.reset();
  });
  const drop = element("button", {
    className: "plain",
    textContent: say("discardImport"),
    onclick: act(async () => {
      await write("DELETE", `/imports/${report.import_id}`);
      result.replaceChildren();
    }),
  });
  result.replaceChildren(
    panel(
      report.file_name,
      element(
        "p",
        {},
        say("rowsOfFile", { rows: number(rows), importable: number(importable) }),
        duplicates ? say("rowsAreThere", { count: number(duplicates) }) : "",
        unassigned ? say("rowsAreOutside", { count: number(unassigned) }) : "",
      ),
      ...notes.map(textContent => element("p", { className: "note", textContent: `⚠ ${textContent}` })),
      wrong ? element("label", { className: "check" }, skip, say("leaveTheBadRowsOut")) : null,
      report.datum_doubt ? element("label", { className: "check" }, isCertain, say("datumIsCertain")) : null,
      problem,
      element("p", {}, confirm, " ", drop),
    ),
    ...(wrong ? [bad(report.bad_rows, wrong)] : []),
  );
  confirm.focus();
}

// After the validation columns can be assigned to fields by hand.
function map({ layer, columns, fields }) {
  mapping.replaceChildren(
    ...layerOf(layer).fields.map(name => {
      const select = element(
        "select",
        { name: `column-${name}`, data: { field: name } },
        option(["", "—"]),
        ...columns.map(column => option([column, column])),
      );
      select.value = fields[name] ?? "";
      return element("label", {}, name, select);
    }),
  );
}
ready();
