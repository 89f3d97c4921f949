// The test split of Eigen et al. (NIPS 2014) in KITTI raw: 697 images of 28 drives, as the file lists of Monodepth2 and others
// have them (splits/eigen/test_files.txt).

/** By date and drive: the distance between frames, and runs of frame numbers at that distance. */
const FRAMES: Record<string, Record<string, string>> = {
  '2011_09_26': {
    '0002': '3: 0-63 69-75',
    '0009': '16: 0-176 196-388',
    '0013': '5: 0-10 20 30-50 60-70 80-140',
    '0020': '3: 0-21 27 33-36 42-78 84',
    '0023': '18: 18-216 252-468',
    '0027': '7: 0-98 112-147 161-182',
    '0029': '14: 0-196 268 296-408',
    '0036': '32: 0-704 768-800',
    '0046': '5: 0-120',
    '0048': '1: 0-21',
    '0052': '2: 0-22 26-32 36-52',
    '0056': '11: 11-121 143-286',
    '0059': '14: 0-154 182-238 274-372',
    '0064': '22: 0-110 154-550',
    '0084': '13: 49-153 179-374',
    '0086': '27: 7-520 574-682',
    '0093': '16: 0-256 305-417',
    '0096': '19: 0-456',
    '0101': '34: 80-216 284-930',
    '0106': '8: 15 35-219',
    '0117': '26: 0-494 546-650',
  },
  '2011_09_28': { '0002': '3: 0-12 18-24 30-39 45-63 72 78-90' },
  '2011_09_29': { '0071': '36: 0-612 735-807 879-951 1054' },
  '2011_09_30': {
    '0016': '11: 0-88 110-275',
    '0018': '107: 0-214 428-2247 2419-2740',
    '0027': '41: 0-656 753-958 1040-1081',
  },
  '2011_10_03': { '0027': '181: 0-543 734-2001 2363-4535', '0047': '32: 0-224 288-800' },
};

function numbers(text: string): ReadonlySet<number> {
  const [distance, runs] = text.split(': ');
  const found = new Set<number>();
  for (const run of runs.split(' ')) {
    const [first, last = first] = run.split('-').map(Number);
    for (let number = first; number <= last; number += Number(distance)) found.add(number);
  }
  return found;
}

/** Frame numbers of the test split, by the name of the drive's folder. */
export const EIGEN_TEST: ReadonlyMap<string, ReadonlySet<number>> = new Map(
  Object.entries(FRAMES).flatMap(([date, drives]) =>
    Object.entries(drives).map(([drive, text]) => [`${date}_drive_${drive}_sync`, numbers(text)] as const),
  ),
);
