// Class tables of the driving data sets: names, ids and the colours their authors publish.
import type { ClassInfo } from './types.ts';

type Row = readonly [name: string, r: number, g: number, b: number];

const table = (rows: readonly Row[]): readonly ClassInfo[] =>
  rows.map(([name, r, g, b], id) => ({ id, name, color: [r, g, b] }));

/** Void: in no loss and no metric. */
export const VOID = 255;

/** The 19 Cityscapes classes by train id (Cordts et al., CVPR 2016; cityscapesScripts, `helpers/labels.py`). */
export const cityscapesClasses = table([
  ['road', 128, 64, 128],
  ['sidewalk', 244, 35, 232],
  ['building', 70, 70, 70],
  ['wall', 102, 102, 156],
  ['fence', 190, 153, 153],
  ['pole', 153, 153, 153],
  ['traffic light', 250, 170, 30],
  ['traffic sign', 220, 220, 0],
  ['vegetation', 107, 142, 35],
  ['terrain', 152, 251, 152],
  ['sky', 70, 130, 180],
  ['person', 220, 20, 60],
  ['rider', 255, 0, 0],
  ['car', 0, 0, 142],
  ['truck', 0, 0, 70],
  ['bus', 0, 60, 100],
  ['train', 0, 80, 100],
  ['motorcycle', 0, 0, 230],
  ['bicycle', 119, 11, 32],
]);

/** Train ids of the Cityscapes classes, for code that names them. */
export const City = {
  road: 0,
  sidewalk: 1,
  building: 2,
  wall: 3,
  fence: 4,
  pole: 5,
  trafficLight: 6,
  trafficSign: 7,
  vegetation: 8,
  terrain: 9,
  sky: 10,
  person: 11,
  rider: 12,
  car: 13,
  truck: 14,
  bus: 15,
  train: 16,
  motorcycle: 17,
  bicycle: 18,
} as const;

/** Cityscapes' classes of these names, with ids of their own. */
const some = (names: readonly string[]): readonly ClassInfo[] =>
  cityscapesClasses.filter(({ name }) => names.includes(name)).map((one, id) => ({ ...one, id }));

const SYNTHIA_13 = [
  ...[
    'road',
    'sidewalk',
    'building',
    'traffic light',
    'traffic sign',
    'vegetation',
    'sky',
    'person',
    'rider',
  ],
  ...['car', 'bus', 'motorcycle', 'bicycle'],
];

/** The 13 of Cityscapes' classes that work on SYNTHIA without wall, fence and pole scores, in Cityscapes' order. */
export const synthia13Classes = some(SYNTHIA_13);

/** The 16 of Cityscapes' classes that are in SYNTHIA, in Cityscapes' order: no terrain, truck, train. */
export const synthia16Classes = some([...SYNTHIA_13, 'wall', 'fence', 'pole']);

/** CamVid's 11 classes in the order of SegNet (Badrinarayanan, Kendall, Cipolla, PAMI 2017). */
export const camvidClasses = table([
  ['Sky', 128, 128, 128],
  ['Building', 128, 0, 0],
  ['Pole', 192, 192, 128],
  ['Road', 128, 64, 128],
  ['Pavement', 60, 40, 222],
  ['Tree', 128, 128, 0],
  ['SignSymbol', 192, 128, 128],
  ['Fence', 64, 64, 128],
  ['Car', 64, 0, 128],
  ['Pedestrian', 64, 64, 0],
  ['Bicyclist', 0, 128, 192],
]);

/**
 * CamVid id for each of the 19 Cityscapes train ids, or 255. Follows the merge of CamVid's 32 classes into
 * SegNet's 11: walls count as Building, traffic lights as SignSymbol, vehicles with four wheels or more as Car.
 * Bicycles and motorcycles go with their riders into Bicyclist, since CamVid draws both as one region.
 * Terrain has no CamVid class that means grass or soil, so it is void.
 */
export const cityscapesToCamvid: readonly number[] = [
  3, // road
  4, // sidewalk
  1, // building
  1, // wall
  7, // fence
  2, // pole
  6, // traffic light
  6, // traffic sign
  5, // vegetation
  VOID, // terrain
  0, // sky
  9, // person
  10, // rider
  8, // car
  8, // truck
  8, // bus
  8, // train
  10, // motorcycle
  10, // bicycle
];

/** Train id for each Cityscapes label id 0..33; 255 = not one of the 19 classes. Label id -1 (licence plate) is void too. */
export const cityscapesLabelIdToTrainId: readonly number[] = [
  VOID, // 0 unlabeled
  VOID, // 1 ego vehicle
  VOID, // 2 rectification border
  VOID, // 3 out of roi
  VOID, // 4 static
  VOID, // 5 dynamic
  VOID, // 6 ground
  City.road, // 7
  City.sidewalk, // 8
  VOID, // 9 parking
  VOID, // 10 rail track
  City.building, // 11
  City.wall, // 12
  City.fence, // 13
  VOID, // 14 guard rail
  VOID, // 15 bridge
  VOID, // 16 tunnel
  City.pole, // 17
  VOID, // 18 polegroup
  City.trafficLight, // 19
  City.trafficSign, // 20
  City.vegetation, // 21
  City.terrain, // 22
  City.sky, // 23
  City.person, // 24
  City.rider, // 25
  City.car, // 26
  City.truck, // 27
  City.bus, // 28
  VOID, // 29 caravan
  VOID, // 30 trailer
  City.train, // 31
  City.motorcycle, // 32
  City.bicycle, // 33
];

/** PASCAL VOC's colour for a class: the bits of its id, spread over the high bits of red, green and blue. */
export function pascalColour(id: number): [number, number, number] {
  const colour: [number, number, number] = [0, 0, 0];
  for (let bit = 0; bit < 8; bit++)
    for (let c = 0; c < 3; c++) colour[c] |= ((id >> (3 * bit + c)) & 1) << (7 - bit);
  return colour;
}
