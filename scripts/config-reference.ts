// Writes docs/config.md from the schema of the settings; test/train/config.test.ts fails where the two differ.
//   npx esbuild scripts/config-reference.ts --bundle --platform=node --format=esm --packages=external --outfile=dist/config.mjs
//   node dist/config.mjs
import { writeFileSync } from 'node:fs';
import { configReference } from '../src/train/config-reference.ts';

writeFileSync('docs/config.md', configReference());
