/**
 * The browser side of the screens: rows of the queue kept by push, keys turned into actions, cells of the grids,
 * a clear word when the session has ended. A classic script beside loader.js (map, clock, countdowns).
 *
 *   dash_clientside.screens.*      clientside callbacks of situation_center/screens
 *   dashAgGridComponentFunctions   cells of the queue and of the tables
 */
(() => {
  'use strict';

  const none = () => window.dash_clientside.no_update;
  const byId = (id) => document.getElementById(id);
  const language = () => (document.documentElement.lang === 'en' ? 'en' : 'ru');
  let wordsRead = null;
  /** The words of the page's language stand in an attribute of #words. */
  function words() {
    const element = byId('words');
    if (element && wordsRead?.from !== element.dataset.words) wordsRead = { from: element.dataset.words, ...JSON.parse(element.dataset.words) };
    return wordsRead ?? {};
  }

  function setProps(id, props) {
    if (!byId(id) && !STORES.has(id)) return;
    window.dash_clientside.set_props(id, props);
  }
  const STORES = new Set(['selection', 'action', 'pressed', 'card-refresh', 'page-refresh', 'resync', 'dialog', 'toast']);

  // --- the queue: one map of rows, filled by push on every page -----------------------------------------------------

  const rows = new Map();
  const filter = { text: '', choice: 'all' };
  let complete = false;
  let sequence = null;
  let selected = { incident: null, object: null };

  const WAITING = new Set(['new']);
  const DONE = new Set(['resolved', 'verified', 'restored']);

  /** Worst first, then whose time runs out first; what only waits for a formal end goes last. */
  const rank = (r) => (DONE.has(r.state) ? 10 : r.priority) * 1e15 + (r.deadline ?? 9e14);

  function visible(row) {
    if (filter.choice === 'mine' && !row.mine) return false;
    if (filter.choice === 'new' && !WAITING.has(row.state)) return false;
    if (!filter.text) return true;
    const hay = `${row.title_ru} ${row.title_en} ${row.place_ru} ${row.place_en} ${row.owner ?? ''} ${row.org ?? ''}`;
    return hay.toLocaleLowerCase().includes(filter.text);
  }

  const shown = () => [...rows.values()].filter(visible).sort((a, b) => rank(a) - rank(b));

  function drawQueue() {
    const count = byId('queue-count'); // there before the grid, which loads its code first
    if (!count) return;
    window.dash_clientside.set_props('queue', { rowData: shown() });
    write(count, rows.size);
    keepSelected();
  }

  /** On a phone a grid keeps the columns that fit. */
  const NARROW_PX = 900;
  function fitColumns(id, hidden) {
    const narrow = window.innerWidth < NARROW_PX;
    const wait = setInterval(() => {
      const api = gridApi(id);
      if (!api && byId('page')) return;
      clearInterval(wait);
      api?.setColumnsVisible(hidden, !narrow);
    }, 100);
    setTimeout(() => clearInterval(wait), 5000);
    return none();
  }

  const gridApi = (id) => { try { return window.dash_ag_grid.getApi(id); } catch { return null; } };

  /** A push of the server: see screens/parts/feed.py. */
  function follow(push) {
    if (!push) return none();
    window.dash_clientside.citynet.beat(push);
    if (push.ended) { sessionEnded(); return none(); }
    const gap = sequence !== null && push.seq !== sequence + 1;
    sequence = push.seq;
    if (push.full) { rows.clear(); complete = true; }
    for (const row of push.rows ?? []) rows.set(row.id, row);
    for (const id of push.gone ?? []) rows.delete(id);
    if (gap && !push.full) setProps('resync', { data: Date.now() });
    if (push.full || push.rows?.length || push.gone?.length) drawQueue();
    if (push.strip) for (const [id, text] of Object.entries(push.strip)) put(id, text);
    if (push.clock) setClock(push.clock);
    refreshCard(push);
    refreshPage(push);
    return none();
  }

  /** All rows at once: the answer to `resync`. */
  function takeAll(list) {
    if (!list) return none();
    rows.clear();
    complete = true;
    for (const row of list) rows.set(row.id, row);
    drawQueue();
    return none();
  }

  /** The queue has come onto the page, with rows of the server; rows of the push are newer. */
  function openQueue(id, initial) {
    if (!complete) takeAll(initial ?? []);
    else drawQueue();
    return fitColumns('queue', ['state']);
  }

  function put(id, value) {
    const element = byId(id);
    if (!element) return;
    if (value && typeof value === 'object') {
      for (const [name, text] of Object.entries(value)) {
        if (name === 'text') write(element, text);
        else if (name === 'share') element.firstElementChild.style.width = `${100 * Number(text)}%`;
        else if (text === null) element.removeAttribute(`data-${name}`);
        else element.setAttribute(`data-${name}`, text);
      }
    } else write(element, value);
  }

  function write(element, text) { if (element.textContent !== String(text)) element.textContent = text; }

  function setClock(clock) {
    const element = byId('city-clock');
    if (!element) return;
    element.dataset.cityNow = clock.now;
    element.dataset.citySpeed = clock.speed;
    const speed = byId('city-speed');
    if (speed) { speed.hidden = clock.speed === 1; write(speed, `×${clock.speed}`); }
  }

  let cardAt = 0;
  function refreshCard(push) {
    const card = byId('card');
    if (!card || (!selected.incident && !selected.object)) return;
    const commands = (card.querySelector('[data-commands]')?.dataset.commands ?? '').split(' ');
    const touched = (push.incidents ?? []).includes(selected.incident) || (push.commands ?? []).some((id) => commands.includes(id));
    const old = push.newest && Date.now() - cardAt > 10000;
    if (!touched && !old) return;
    cardAt = Date.now();
    setProps('card-refresh', { data: cardAt });
  }

  let pageAt = 0;
  function refreshPage(push) {
    const page = document.querySelector('[data-follows]');
    if (!page) return;
    const kinds = page.dataset.follows.split(' ');
    const touched = kinds.some((kind) => push[kind] === true || push[kind]?.length);
    if (!touched || Date.now() - pageAt < Number(page.dataset.pause ?? 3000)) return;
    pageAt = Date.now();
    setProps('page-refresh', { data: pageAt });
  }

  // --- selection: queue, map and card follow each other -------------------------------------------------------------

  /** Known at once: a key that is pressed right after a click must not wait until Dash has told us. */
  function select(row, source) {
    selected = { incident: row?.id ?? null, object: row?.object_id ?? null };
    setProps('selection', { data: row ? { incident_id: row.id, object_id: row.object_id, source, at: Date.now() } : null });
  }

  /** A click chooses a row even while the grid takes in new rows: what is chosen is ours to say, not the grid's. */
  function clicked(event) {
    const id = event.target instanceof Element && event.target.closest('#queue .ag-row')?.getAttribute('row-id');
    if (id && rows.has(id)) select(rows.get(id), 'queue');
  }

  /** The selection has changed: mark it in the queue and on the map. Gives what the card shall show. */
  function selectionChanged(selection) {
    const incident = selection?.incident_id ?? incidentOf(selection?.object_id);
    selected = { incident: incident ?? null, object: selection?.object_id ?? null };
    cardAt = Date.now();
    markSelected();
    keepSelected();
    window.dash_clientside.citynet.selectObject(selection);
    const panes = byId('panes');
    if (panes && selection) panes.dataset.pane = 'card';
    return selection ? { incident_id: selected.incident, object_id: selected.object, at: selection.at } : null;
  }

  function incidentOf(objectId) {
    if (!objectId) return null;
    return [...rows.values()].sort((a, b) => rank(a) - rank(b)).find((r) => r.object_id === objectId)?.id ?? null;
  }

  function markSelected() {
    const api = gridApi('queue');
    if (!api) return;
    const node = selected.incident ? api.getRowNode(selected.incident) : null;
    if (!node) { api.deselectAll(); return; }
    if (!node.isSelected()) node.setSelected(true, true);
    api.ensureNodeVisible(node);
  }

  /** New rows may come with the grid's own idea of what is selected: set ours again, without scrolling. */
  let keepTimers = [];
  function keepSelected() {
    keepTimers.forEach(clearTimeout);
    keepTimers = [60, 300].map((ms) => setTimeout(() => {
      const node = selected.incident ? gridApi('queue')?.getRowNode(selected.incident) : null;
      if (node && !node.isSelected()) node.setSelected(true, true);
    }, ms));
  }

  document.addEventListener('click', clicked);

  function step(by) {
    const api = gridApi('queue');
    const count = api?.getDisplayedRowCount() ?? 0;
    if (!count) return;
    const node = selected.incident ? api.getRowNode(selected.incident) : null;
    const at = node?.rowIndex ?? (by > 0 ? -1 : count);
    const next = api.getDisplayedRowAtIndex(Math.min(count - 1, Math.max(0, at + by)));
    if (next) select(next.data, 'queue');
  }

  function filterQueue(text, choice) {
    filter.text = (text ?? '').trim().toLocaleLowerCase();
    filter.choice = choice ?? 'all';
    drawQueue();
    return none();
  }

  // --- keys ---------------------------------------------------------------------------------------------------------

  const KEYS = {
    J: () => step(1),
    K: () => step(-1),
    A: () => act('acknowledge'),
    T: () => act('take'),
    C: () => focusFirst('#card-commands button:not([disabled]), #object-commands button:not([disabled])'),
    '/': () => focusFirst('#queue-search, #table-search'),
    '?': () => setProps('dialog', { data: { name: 'keys', at: Date.now() } }),
    Esc: () => {
      if (document.querySelector('[role="dialog"]')) setProps('dialog', { data: null });
      else select(null);
    },
  };

  function pressed(key) {
    KEYS[key]?.();
  }

  function focusFirst(selector) {
    const element = document.querySelector(selector);
    const target = element?.matches('input, button') ? element : element?.querySelector('input');
    target?.focus();
    target?.scrollIntoView({ block: 'nearest' });
  }

  function act(name) {
    const row = rows.get(selected.incident);
    if (!byId('queue')) return;
    if (!row) { setProps('toast', { data: { text: words().choose, kind: 'error', at: Date.now() } }); return; }
    setProps('action', { data: { name, incident_id: row.id, version: row.version, at: Date.now() } });
  }

  // --- buttons of a card ---------------------------------------------------------------------------------------------

  // Dash forgets a press whose button is drawn anew before its callback has been asked, and a card changes at any push.
  const PRESSES = new Set(['work', 'command', 'approve', 'cancel', 'roll_back']);
  document.addEventListener('click', (event) => {
    const button = event.target.closest?.('button[id^="{"]');
    if (!button || button.disabled) return;
    const [[name, value]] = Object.entries(JSON.parse(button.id));
    if (PRESSES.has(name)) setProps('pressed', { data: { name, value, at: Date.now() } });
  });

  // --- toast with undo ----------------------------------------------------------------------------------------------

  let toastTimer;
  function showToast(toast) {
    const bar = byId('toast-bar');
    if (!bar || !toast) return none();
    clearTimeout(toastTimer);
    write(byId('toast-text'), toast.text ?? '');
    bar.dataset.kind = toast.kind ?? 'done';
    const undo = byId('toast-undo');
    undo.hidden = !toast.undo;
    undo.onclick = () => {
      bar.hidden = true;
      setProps('action', { data: { ...toast.undo, name: 'undo', at: Date.now() } });
    };
    bar.hidden = false;
    // Restart the bar that shows how long the step can be undone.
    bar.style.animation = 'none';
    void bar.offsetWidth;
    bar.style.animation = '';
    toastTimer = setTimeout(() => { bar.hidden = true; }, toast.undo ? 10000 : 6000);
    return none();
  }

  // --- session ended ------------------------------------------------------------------------------------------------

  function sessionEnded() {
    const bar = byId('session-ended');
    if (bar) bar.hidden = false;
  }

  const fetchOfBrowser = window.fetch;
  window.fetch = async (...args) => {
    const response = await fetchOfBrowser(...args);
    if (response.status === 401) sessionEnded();
    return response;
  };

  /** Layers and heat map that a page opens with; without a choice the map shows everything. */
  function chooseLayers(choice) {
    const map = window.dash_clientside.citynet;
    if (choice?.services) map.setServices(choice.services);
    if (choice?.heat) map.setHeat(choice.heat);
    return none();
  }

  /** A comment belongs to an incident. */
  function showCommentBox(shown) {
    const box = byId('comment-box');
    if (box) box.hidden = !shown?.incident_id;
    return none();
  }

  // --- page ---------------------------------------------------------------------------------------------------------

  function reload(at) {
    if (at) window.location.reload();
    return none();
  }

  function title(path) {
    const heading = document.querySelector('#page h1');
    if (heading) document.title = `${heading.textContent} — citynet`;
    return none();
  }

  /** The place of the phone into the form of acceptance; the browser asks its owner first. */
  function locate(clicks) {
    const told = byId('install-located');
    if (!clicks || !told) return;
    const failed = (error) => { told.textContent = error?.message ?? '—'; };
    if (!navigator.geolocation) { failed(); return; }
    navigator.geolocation.getCurrentPosition(({ coords }) => {
      setProps('install-lat', { value: coords.latitude.toFixed(6) });
      setProps('install-lon', { value: coords.longitude.toFixed(6) });
      told.textContent = `± ${Math.round(coords.accuracy)} m`;
    }, failed, { enableHighAccuracy: true, timeout: 20000 });
  }

  /** The input of files that Dash does not have. */
  function fileInput(id) {
    const box = id && byId(id);
    if (!box || box.firstChild) return;
    const input = document.createElement('input');
    Object.assign(input, { type: 'file', name: 'file', required: true, accept: '.csv,.tsv,.txt,.xlsx', className: 'field' });
    box.append(input);
  }

  function markPage(path) {
    for (const link of document.querySelectorAll('#nav a')) {
      const here = link.getAttribute('href') === path;
      link.toggleAttribute('aria-current', here);
      if (here) { link.setAttribute('aria-current', 'page'); link.scrollIntoView({ block: 'nearest', inline: 'nearest' }); }
    }
    const heading = new MutationObserver(() => title());
    heading.observe(byId('page'), { childList: true, subtree: true });
    setTimeout(() => heading.disconnect(), 5000);
    return none();
  }

  function showPane(...args) {
    const id = window.dash_clientside.callback_context.triggered[0]?.prop_id.split('.')[0];
    const panes = byId('panes');
    if (panes && id) panes.dataset.pane = id.replace('pane-', '');
    return none();
  }

  /** A row of a table was chosen: the page's selection. */
  function chosenInTable(chosen) {
    const row = chosen?.[0];
    if (!row || Number(row.id) === selected.object) return none();
    setProps('selection', { data: { incident_id: null, object_id: Number(row.id), source: 'table', at: Date.now() } });
    return none();
  }

  function openTable() { return fitColumns('table', ['time']); }

  function filterTable(text) {
    gridApi('table')?.setGridOption('quickFilterText', text ?? '');
    return none();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.screens = {
    follow, takeAll, openQueue, selectionChanged, filterQueue, pressed, showToast, reload, markPage, showPane, fileInput, locate,
    chosenInTable, filterTable, openTable, chooseLayers, showCommentBox,
  };

  // --- cells --------------------------------------------------------------------------------------------------------

  const e = (...args) => window.React.createElement(...args);
  const cells = (window.dashAgGridComponentFunctions = window.dashAgGridComponentFunctions || {});
  const name = (row, field) => row[`${field}_${language()}`] || row[`${field}_ru`] || '';
  const SHAPES = ['', 'critical', 'high', 'medium', 'low'];

  cells.Priority = ({ data }) => e('span', { className: 'prio', title: words().severity?.[data.severity] },
    e('i', { className: `sev sev-${SHAPES[data.priority]}`, 'aria-hidden': true }), e('b', null, `P${data.priority}`));

  cells.Incident = ({ data }) => e('div', { className: 'two' },
    e('div', { className: 'one-line strong' }, name(data, 'title'), data.count > 1 ? e('span', { className: 'times', title: words().count }, `×${data.count}`) : null),
    e('div', { className: 'one-line muted' }, e('span', { className: 'narrow-only' }, `${words().state?.[data.state] ?? data.state} · `), name(data, 'place')));

  cells.State = ({ data }) => e('div', { className: 'two' },
    e('div', { className: 'one-line' }, e('i', { className: data.condition_active ? 'dot on' : 'dot', 'aria-hidden': true }), words().state?.[data.state] ?? data.state),
    e('div', { className: 'one-line muted' }, data.owner || data[`org_${language()}`] || words().unassigned));

  cells.Due = ({ data }) => e('div', { className: 'two right' },
    data.deadline
      ? e('div', { className: 'one-line', key: data.deadline, title: words().deadline?.[data.deadline_kind], 'data-deadline': data.deadline, 'data-start': data.deadline_start, ref: show })
      : e('div', { className: 'one-line muted' }, '—'),
    e('div', { className: 'one-line muted', key: data.opened, 'data-since': data.opened, ref: show }));

  /** Countdown and age are written by loader.js once a second; a new one must not stand empty until then. */
  let awaited = false;
  function show(element) {
    if (!element || element.textContent || awaited) return;
    awaited = true;
    requestAnimationFrame(() => { awaited = false; window.dash_clientside.citynet.tick?.(); });
  }

  new MutationObserver(() => show(document.querySelector('#card [data-deadline]:empty, #page [data-since]:empty')))
    .observe(document.documentElement, { childList: true, subtree: true });

  cells.NoRows = ({ text }) => e('span', { className: 'muted' }, text);

  cells.ObjectState = ({ value }) => e('span', { className: 'prio' },
    e('i', { className: `sev sev-${value}`, 'aria-hidden': true }), e('span', null, words().severity_short?.[value] ?? value));

  /** To another page without loading everything again, as dcc.Link does it. */
  function go(event) {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    window.history.pushState({}, '', event.currentTarget.getAttribute('href'));
    window.dispatchEvent(new CustomEvent('_dashprivate_pushstate'));
  }

  cells.ObjectName = ({ data }) => e('a', { href: `/object/${data.id}`, className: 'quiet', onClick: go }, name(data, 'name'));

  window.dashAgGridFunctions = window.dashAgGridFunctions || {};
  /** A measured value of a table, as people of the page's language write it. */
  window.dashAgGridFunctions.measured = (value) => (value === null || value === undefined ? '—'
    : new Intl.NumberFormat(language(), { maximumSignificantDigits: 4 }).format(value));

  cells.Age = ({ value }) => (value ? e('span', { key: value, 'data-since': value, ref: show }) : e('span', { className: 'muted' }, '—'));
})();
