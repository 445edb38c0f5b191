// The tables of the arena can be sorted and filtered. Without a script they are plain tables.
document.addEventListener("DOMContentLoaded", async () => {
  const tables = document.querySelectorAll(".fedlib-sortable table");
  if (!tables.length || !window.fedlibDataTables) return;
  const DataTable = await window.fedlibDataTables;
  for (const table of tables) {
    new DataTable(table, {
      paging: false,
      info: false,
      order: [],
      autoWidth: false,
      layout: { topStart: "search", topEnd: null, bottomStart: null, bottomEnd: null },
      language: { search: "Show rows with " },
    });
  }
  document.documentElement.dataset.arena = "ready";
});
