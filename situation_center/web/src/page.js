/** What the map needs of the page around it: address, stored view, style sheet. */

/** Each page has a view of its own: who looked at one bin wants the whole city on the page of the water supply. */
const viewKey = () => `citynet.map.view ${location.pathname}`;

export const liveAddress = () => `${location.origin.replace(/^http/, 'ws')}/map/live`;

/** The operator's view of a page survives a visit to another one. */
export function savedView() {
  try {
    return /** @type {{center: [number, number], zoom: number} | null} */ (JSON.parse(sessionStorage.getItem(viewKey()) ?? 'null'));
  } catch {
    return null;
  }
}

/** @param {import('maplibre-gl').Map} map */
export function saveView(map) {
  const { lng, lat } = map.getCenter();
  sessionStorage.setItem(viewKey(), JSON.stringify({ center: [lng, lat], zoom: map.getZoom() }));
}

/** @param {string} href @returns {Promise<void>} */
export function loadStyleSheet(href) {
  if (document.querySelector(`link[href="${href}"]`)) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href });
    link.onload = () => resolve();
    link.onerror = () => reject(new Error(`${href} did not load`));
    document.head.append(link);
  });
}
