/** The words of the map itself, in Russian and English. Names of objects and services come from the server. */

const TEXTS = {
  ru: {
    map: 'Карта города. Стрелки двигают карту, плюс и минус меняют масштаб, Enter выбирает объект под перекрестьем. Те же объекты есть в списке.',
    services: 'Слои служб', severities: 'Обозначения', heat: 'Тепловая карта', heatOff: 'нет',
    draw: 'Обвести объекты (Shift и мышь)', command: 'Команда', forget: 'Снять выбор', nobody: 'В обводке нет объектов',
    zoomIn: 'Крупнее', zoomOut: 'Мельче', wholeCity: 'Весь город', close: 'Закрыть', here: 'Объекты в этой точке', more: 'и ещё',
    doubt: 'прозрачнее — менее достоверно', worst: 'худшее', loading: 'Карта загружается…', failed: 'Карта не загрузилась, пробуем снова…',
    critical: 'критично', high: 'высокая', medium: 'средняя', low: 'низкая', unknown: 'нет данных', normal: 'норма',
    objects: { one: 'объект', few: 'объекта', many: 'объектов', other: 'объекта' },
  },
  en: {
    map: 'City map. Arrow keys move it, plus and minus zoom, Enter selects the object under the crosshair. The same objects are in the list.',
    services: 'Service layers', severities: 'Legend', heat: 'Heat map', heatOff: 'off',
    draw: 'Draw around objects (Shift and mouse)', command: 'Command', forget: 'Choose none', nobody: 'Nothing lies in this line',
    zoomIn: 'Zoom in', zoomOut: 'Zoom out', wholeCity: 'Whole city', close: 'Close', here: 'Objects at this point', more: 'and more:',
    doubt: 'more transparent = less certain', worst: 'worst', loading: 'Loading the map…', failed: 'The map did not load, trying again…',
    critical: 'critical', high: 'high', medium: 'medium', low: 'low', unknown: 'no data', normal: 'normal',
    objects: { one: 'object', few: 'objects', many: 'objects', other: 'objects' },
  },
};

/** @typedef {Exclude<keyof typeof TEXTS.en, 'objects'>} Word @typedef {'ru' | 'en'} Language */

/** @param {Language} language @param {string} word a Word, or the name of a state */
export const say = (language, word) => TEXTS[language][/** @type {Word} */ (word)];

/** "3 объекта", "5 объектов", "1 object". @param {Language} language @param {number} n */
export function countObjects(language, n) {
  const form = /** @type {'one' | 'few' | 'many' | 'other'} */ (new Intl.PluralRules(language).select(n));
  return `${n.toLocaleString(language)} ${TEXTS[language].objects[form]}`;
}

/** A short count for a symbol: 7, 128, 1.2k. @param {Language} language @param {number} n */
export function shortCount(language, n) {
  if (n < 1000) return String(n);
  return new Intl.NumberFormat(language, { maximumFractionDigits: n < 10_000 ? 1 : 0 }).format(n / 1000) + (language === 'ru' ? 'т' : 'k');
}

/** A number of a legend. @param {Language} language @param {number} value */
export const number = (language, value) => new Intl.NumberFormat(language, { maximumSignificantDigits: 3 }).format(value);
