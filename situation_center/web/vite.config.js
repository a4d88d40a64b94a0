/** Builds src/map.js into ../vendor/citymap.mjs and puts beside it what is loaded as files: worker, fonts, licences. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import { FAMILY, SUBSETS, WEIGHTS, fontFile } from './src/fonts.js';

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, 'node_modules');
const vendor = join(here, '..', 'vendor');

/** The same font for the pages around the map: <link href="/vendor/noto-sans.css">. */
function fontSheet() {
  return WEIGHTS.flatMap((weight) => Object.entries(SUBSETS).map(([subset, range]) =>
    `@font-face{font-family:'${FAMILY}';font-weight:${weight};font-display:swap;src:url(./${fontFile(subset, weight)}) format('woff2');unicode-range:${range}}\n`)).join('');
}

const files = {
  name: 'citynet-files',
  closeBundle() {
    mkdirSync(join(vendor, 'licenses'), { recursive: true });
    copyFileSync(join(modules, 'maplibre-gl/dist/maplibre-gl-worker.mjs'), join(vendor, 'maplibre-gl-worker.mjs'));
    copyFileSync(join(modules, 'maplibre-gl/LICENSE.txt'), join(vendor, 'licenses/maplibre-gl.txt'));
    copyFileSync(join(modules, '@fontsource/noto-sans/LICENSE'), join(vendor, 'licenses/noto-sans.txt'));
    for (const weight of WEIGHTS) {
      for (const subset of Object.keys(SUBSETS)) {
        copyFileSync(join(modules, '@fontsource/noto-sans/files', fontFile(subset, weight)), join(vendor, fontFile(subset, weight)));
      }
    }
    writeFileSync(join(vendor, 'noto-sans.css'), fontSheet());
  },
};

export default defineConfig({
  root: here,
  base: './',
  publicDir: false,
  plugins: [files],
  build: {
    target: 'es2022',
    outDir: vendor,
    emptyOutDir: true,
    modulePreload: false,
    chunkSizeWarningLimit: 1500, // MapLibre is one piece, loaded only by pages with a map
    rolldownOptions: {
      input: { citymap: join(here, 'src/map.js') },
      preserveEntrySignatures: 'strict',
      output: { format: 'es', entryFileNames: '[name].mjs', chunkFileNames: '[name].mjs', assetFileNames: '[name].[ext]' },
    },
  },
});
