/**
 * The base map: GET /map/base.geojson?v=<version>, one FeatureCollection with properties {id, class, name_ru, name_en,
 * service, zone, kind?, label?}: kind = of a street, "main" is wider; label = [lon, lat] of the name. Polygon names
 * become points here: MapLibre repeats a polygon's label in every tile.
 */

const LABELLED = ['district', 'water', 'port'];
const RETRY_MS = 10_000;

/** @typedef {import('geojson').Feature} Feature @typedef {import('geojson').FeatureCollection} FeatureCollection */

/**
 * Fetches until it succeeds: a control room must not need a reload because the server was restarting.
 * @param {string} url @param {AbortSignal} signal @param {(error: unknown) => void} onFailure
 * @returns {Promise<FeatureCollection>}
 */
export async function fetchBase(url, signal, onFailure) {
  for (;;) {
    try {
      const response = await fetch(url, { signal, credentials: 'same-origin' });
      if (!response.ok) throw new Error(`${url}: ${response.status}`);
      return await response.json();
    } catch (error) {
      if (signal.aborted) throw error;
      onFailure(error);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

/** @typedef {[number, number, number, number]} Box west, south, east, north */

/** @param {FeatureCollection} base @param {Box | null} view the city @returns {FeatureCollection} one point a named polygon */
export function labelPoints(base, view = bounds(base)) {
  const features = base.features
    .filter((f) => LABELLED.includes(f.properties?.class) && f.properties?.name_ru)
    .map((f) => point(f, labelPlace(f, view)));
  return { type: 'FeatureCollection', features };
}

/** @param {Feature} named @param {number[]} coordinates @returns {Feature} */
const point = (named, coordinates) => ({ type: 'Feature', properties: named.properties, geometry: { type: 'Point', coordinates } });

/**
 * The given `label` place, else the centre of gravity of the largest ring; of a sea only what is seen with the city.
 * @param {Feature} feature @param {Box | null} view @returns {number[]} lon, lat
 */
function labelPlace(feature, view) {
  if (Array.isArray(feature.properties?.label)) return feature.properties.label;
  const g = feature.geometry;
  if (g.type === 'Point') return g.coordinates;
  const rings = g.type === 'Polygon' ? [g.coordinates[0]] : g.type === 'MultiPolygon' ? g.coordinates.map((p) => p[0]) : [];
  const seen = view ? rings.map((ring) => clip(ring, view)).filter((ring) => ring.length > 3) : [];
  const largest = (seen.length ? seen : rings).map(centre).sort((a, b) => b.area - a.area)[0];
  return largest ? [largest.lon, largest.lat] : [0, 0];
}

/** Shoelace formula, relative to the first corner to keep the digits. @param {number[][]} ring */
export function centre(ring) {
  const [lon0, lat0] = ring[0];
  let [twice, sumLon, sumLat] = [0, 0, 0];
  for (let i = 0; i + 1 < ring.length; i++) {
    const [ax, ay, bx, by] = [ring[i][0] - lon0, ring[i][1] - lat0, ring[i + 1][0] - lon0, ring[i + 1][1] - lat0];
    const cross = ax * by - bx * ay;
    twice += cross;
    sumLon += (ax + bx) * cross;
    sumLat += (ay + by) * cross;
  }
  if (twice === 0) return { lon: lon0, lat: lat0, area: 0 };
  return { lon: lon0 + sumLon / (3 * twice), lat: lat0 + sumLat / (3 * twice), area: Math.abs(twice / 2) };
}

/** The part of a ring inside the box (Sutherland-Hodgman): side by side, what lies beyond is cut off. @param {number[][]} ring @param {Box} box */
function clip(ring, box) {
  let rest = ring.slice(0, -1);
  for (let side = 0; side < 4; side++) {
    const axis = side % 2;
    const inside = (/** @type {number[]} */ p) => (side < 2 ? p[axis] >= box[side] : p[axis] <= box[side]);
    rest = rest.flatMap((b, i) => {
      const a = rest.at(i - 1) ?? b;
      const t = (box[side] - a[axis]) / (b[axis] - a[axis]);
      const cut = inside(a) === inside(b) ? [] : [[a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])]];
      return inside(b) ? [...cut, b] : cut;
    });
  }
  return rest.length ? [...rest, rest[0]] : [];
}

/** What to show first: the districts, or everything. @param {FeatureCollection} base @returns {Box | null} */
export function bounds(base) {
  const districts = base.features.filter((f) => f.properties?.class === 'district');
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const f of districts.length ? districts : base.features) stretch(box, /** @type {any} */ (f.geometry)?.coordinates);
  return Number.isFinite(box[0]) ? /** @type {Box} */ (box) : null;
}

/** @param {number[]} box @param {any} coordinates any depth */
function stretch(box, coordinates) {
  if (!Array.isArray(coordinates)) return;
  if (typeof coordinates[0] !== 'number') { coordinates.forEach((inner) => stretch(box, inner)); return; }
  const [lon, lat] = coordinates;
  box[0] = Math.min(box[0], lon);
  box[1] = Math.min(box[1], lat);
  box[2] = Math.max(box[2], lon);
  box[3] = Math.max(box[3], lat);
}
