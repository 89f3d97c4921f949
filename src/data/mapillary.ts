// Mapillary Vistas (Neuhold et al., ICCV 2017), research edition, in the layout of its archive:
//   {training,validation}/images/NAME.jpg
//   {training,validation}/labels/NAME.png        (palette PNG: index = place in config.json)
//   config.json
// Release 2.0 holds the same under v1.2/labels and config_v1.2.json; its own finer classes are not read.
import * as z from 'zod/mini';
import { cityscapesClasses, VOID } from './classes.ts';
import { ANY_ID, type Opened, type ReadOptions } from './file-split.ts';
import type { FileSource } from './files.ts';
import { readJson } from './json.ts';
import { noting } from './problems.ts';
import { openSplits, pairedFrames } from './splits.ts';

/** The Cityscapes class of each Vistas class that has one, as work that trains on both has it; all others are void. */
export const vistasToCityscapes: Readonly<Record<string, string>> = {
  'construction--barrier--curb': 'sidewalk',
  'construction--barrier--fence': 'fence',
  'construction--barrier--guard-rail': 'fence',
  'construction--barrier--wall': 'wall',
  'construction--flat--bike-lane': 'road',
  'construction--flat--crosswalk-plain': 'road',
  'construction--flat--curb-cut': 'sidewalk',
  'construction--flat--parking': 'road',
  'construction--flat--pedestrian-area': 'sidewalk',
  'construction--flat--rail-track': 'road',
  'construction--flat--road': 'road',
  'construction--flat--service-lane': 'road',
  'construction--flat--sidewalk': 'sidewalk',
  'construction--structure--bridge': 'building',
  'construction--structure--building': 'building',
  'construction--structure--tunnel': 'building',
  'human--person': 'person',
  'human--rider--bicyclist': 'rider',
  'human--rider--motorcyclist': 'rider',
  'human--rider--other-rider': 'rider',
  'marking--crosswalk-zebra': 'road',
  'marking--general': 'road',
  'nature--sand': 'terrain',
  'nature--sky': 'sky',
  'nature--snow': 'terrain',
  'nature--terrain': 'terrain',
  'nature--vegetation': 'vegetation',
  'object--support--pole': 'pole',
  'object--support--traffic-sign-frame': 'traffic sign',
  'object--support--utility-pole': 'pole',
  'object--traffic-light': 'traffic light',
  'object--traffic-sign--front': 'traffic sign',
  'object--vehicle--bicycle': 'bicycle',
  'object--vehicle--bus': 'bus',
  'object--vehicle--car': 'car',
  'object--vehicle--motorcycle': 'motorcycle',
  'object--vehicle--on-rails': 'train',
  'object--vehicle--truck': 'truck',
};

const configSchema = z.object({
  labels: z.array(z.object({ name: z.string().check(z.maxLength(200)) })).check(z.maxLength(VOID)),
});

/** Reads Mapillary Vistas with Cityscapes' 19 classes. Images differ in size; all come at the working size. */
export async function readMapillary(files: FileSource, options: ReadOptions = {}): Promise<Opened> {
  const problems: string[] = [];
  const release2 = await noting(problems, () => files.exists('config_v1.2.json'));
  const config = release2 ? 'config_v1.2.json' : 'config.json';
  const table = (await noting(problems, () => readTable(files, config))) ?? ANY_ID;
  const list = (split: string) => () =>
    pairedFrames(files, `${split}/images`, release2 ? `${split}/v1.2/labels` : `${split}/labels`);
  return openSplits(
    files,
    options,
    'Mapillary Vistas',
    { classes: cityscapesClasses, table },
    {
      train: list('training'),
      val: list('validation'),
    },
    problems,
  );
}

/** Train id of each label id, from the list of classes that comes with the data. */
async function readTable(files: FileSource, path: string): Promise<number[]> {
  const { labels } = await readJson(files, path, configSchema);
  return labels.map(
    ({ name }) => cityscapesClasses.find((one) => one.name === vistasToCityscapes[name])?.id ?? VOID,
  );
}
