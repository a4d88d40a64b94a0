/**
 * Fetches an export of readings and shows how far it is; closing the dialog ends it, on the server too.
 * Beside screens.js; the dialog is screens/parts/export_form.py.
 */
(() => {
  'use strict';

  const none = () => window.dash_clientside.no_update;
  const byId = (id) => document.getElementById(id);
  const language = () => (document.documentElement.lang === 'en' ? 'en' : 'ru');
  // Beyond that many bytes pieces are handed to the browser, which keeps large blobs on disk.
  const FOLD_BYTES = 16e6;
  let running = null;

  /** Local midnight of a day in the city's zone as a moment. */
  function midnight(day, zone, add) {
    const utc = Date.parse(`${day}T00:00:00Z`) + add * 86400e3;
    const wall = (moment) => {
      const parts = new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(moment);
      const [, d, m, y, h, min, s] = parts.match(/(\d+)\/(\d+)\/(\d+), (\d+):(\d+):(\d+)/);
      return Date.UTC(y, m - 1, d, h % 24, min, s);
    };
    const guess = utc - (wall(utc) - utc);
    return new Date(guess - (wall(guess) - utc));
  }

  function address(object, zone, wanted) {
    const asked = new URLSearchParams({
      since: midnight(wanted.since, zone, 0).toISOString(), until: midnight(wanted.until, zone, 1).toISOString(),
      step: wanted.step, format: wanted.format,
    });
    if (object !== '0') asked.set('within', object);
    if (wanted.quantity) asked.set('quantity', wanted.quantity);
    if (wanted.original && wanted.step === 'raw') asked.set('original', 'true');
    if (wanted.format === 'csv' && language() === 'ru') asked.set('excel', 'true');
    return `/api/v1/readings/export?${asked}`;
  }

  const megabytes = (bytes) => new Intl.NumberFormat(language(), { maximumFractionDigits: bytes < 1e7 ? 2 : 0 }).format(bytes / 1e6);

  function tell(key, values = {}, share = null) {
    const told = byId('export-told');
    if (!told) return;
    byId('export-progress').hidden = false;
    told.textContent = JSON.parse(told.dataset.words)[key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? '');
    const bar = byId('export-bar');
    bar.hidden = key === 'failed';
    if (share === null) bar.removeAttribute('value');
    else bar.value = Math.round(100 * share);
  }

  async function save(url, signal) {
    const answer = await fetch(url, { signal });
    if (!answer.ok) throw new Error((await answer.json().catch(() => null))?.detail ?? String(answer.status));
    const about = Number(answer.headers.get('X-Bytes-Expected'));
    const name = /filename="(.+?)"/.exec(answer.headers.get('Content-Disposition'))?.[1] ?? 'readings';
    const reader = answer.body.getReader();
    let blob = new Blob([]); let parts = []; let size = 0; let loose = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value); size += value.length; loose += value.length;
      if (loose > FOLD_BYTES) { blob = new Blob([blob, ...parts]); parts = []; loose = 0; }
      const known = about > size;
      tell(known ? 'about' : 'so_far', { mb: megabytes(size), all: megabytes(about) }, known ? size / about : null);
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([blob, ...parts]));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60e3);
    tell('done', { name, mb: megabytes(size) }, 1);
  }

  /** The button of the dialog; a second click while one runs does nothing. */
  function start(clicks, quantity, step, format, original) {
    const form = byId('export-form');
    if (!clicks || !form || running) return none();
    const wanted = { quantity, step, format, original, since: byId('export-since').value, until: byId('export-until').value };
    if (!wanted.since || !wanted.until) return none();
    running = new AbortController();
    const go = byId('export-go');
    go.disabled = true;
    tell('so_far', { mb: megabytes(0) });
    // The dialog is closed by its cross, a key or a click beside it: whoever does not see it does not want the file.
    const seen = setInterval(() => { if (!form.isConnected) running?.abort(); }, 300);
    save(address(form.dataset.object, form.dataset.zone, wanted), running.signal)
      .catch((error) => { if (error.name !== 'AbortError') tell('failed', { why: error.message }); })
      .finally(() => { clearInterval(seen); running = null; go.disabled = false; });
    return none();
  }

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.exporting = { start };
})();
