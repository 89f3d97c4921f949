// Pinhole cameras. Matrices are computed on the host in f64 and rounded once.
import { HostTensor } from '../autograd/program.ts';

/** Focal lengths and principal point in pixels; pixel (0, 0) is the centre of the top-left pixel. */
export interface Pinhole {
  fx: number;
  fy: number;
  cx: number;
  cy: number;
}

/**
 * A camera given in units of the image size, as Monodepth2 stores it (KITTI: 0.58, 1.92, 0.5, 0.5), in pixels of a
 * width x height image.
 */
export const fromNormalised = (camera: Pinhole, width: number, height: number): Pinhole => ({
  fx: camera.fx * width,
  fy: camera.fy * height,
  cx: camera.cx * width,
  cy: camera.cy * height,
});

/** K = [fx 0 cx; 0 fy cy; 0 0 1] of each camera: [N,3,3], pixels. */
export const intrinsicsMatrix = (cameras: readonly Pinhole[]): HostTensor =>
  new HostTensor(
    cameras.flatMap(({ fx, fy, cx, cy }) => [fx, 0, cx, 0, fy, cy, 0, 0, 1]),
    [cameras.length, 3, 3],
  );

/** K^-1 of each camera: [N,3,3]; takes (x, y, 1) in pixels to the ray with z = 1. */
export const inverseIntrinsics = (cameras: readonly Pinhole[]): HostTensor =>
  new HostTensor(
    cameras.flatMap(({ fx, fy, cx, cy }) => [1 / fx, 0, -cx / fx, 0, 1 / fy, -cy / fy, 0, 0, 1]),
    [cameras.length, 3, 3],
  );
