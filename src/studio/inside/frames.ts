// The street world as the views of this section see it.
import { openStreet } from '../../data/street/index.ts';
import type { Frame } from '../../data/types.ts';
import { HEIGHT, WIDTH } from './scenes.ts';

const FRAMES_PER_SNIPPET = 8;
/** In the middle of a snippet, where nothing is near an end of the video. */
const FRAME = 3;

const street = () => openStreet({ width: WIDTH, height: HEIGHT, framesPerSnippet: FRAMES_PER_SNIPPET }).val;

/** A frame of scene `scene` (`scenes.ts`); `later` frames after the one that the views show first. */
export const sceneFrame = (scene: number, later = 0): Promise<Frame> =>
  street().load(scene * FRAMES_PER_SNIPPET + FRAME + later);

export const sceneCamera = () => street().intrinsics!;
