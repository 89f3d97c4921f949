/** What a student should know when looking at each kind of picture. */
export const CAPTIONS = {
  image: 'What the camera saw. Every other picture of this row belongs to these pixels.',
  warped:
    'The neighbouring frame, pulled into place: for each pixel, the predicted depth and camera motion say where to ' +
    'look in the neighbour. Where both are right it looks like the image itself.',
  photometricError:
    'How far the warped neighbour differs from the image: 85 % structural dissimilarity (SSIM), 15 % colour ' +
    'difference, the smaller of both neighbours. Bright is large. This is the error that teaches depth without labels.',
  meanPhotometricError:
    'How far both warped neighbours differ from the image: 85 % structural dissimilarity (SSIM), 15 % colour ' +
    'difference, the mean of both. Bright is large. This is the error that teaches depth without labels.',
  unusedAutomask:
    'In dark pixels a neighbour fits at least as well without any warping: things that move along with the camera, what is ' +
    'far, and surfaces without texture. This run trained with the mean of both neighbours, and all pixels taught.',
  automask:
    'Bright pixels teach. Dark ones are left out because the neighbour fits them at least as well without any ' +
    'warping: things that move along with the camera, and surfaces without texture.',
  disparity:
    'Predicted inverse depth: bright is near, dark is far. The scale runs from the least value to the 95th percentile of ' +
    'this picture.',
  truth:
    'Classes as a person, or the world generator, labelled them. Checkerboard: void, in no loss and no score.',
  prediction: 'The class with the highest score at each pixel.',
  error: 'Hatched red where prediction and labels differ, dark where they agree. Checkerboard: void.',
  confidence:
    'The highest class probability of the teacher: pale yellow is sure, dark blue is a guess. Low values gather along ' +
    'the borders of objects.',
  mixFirst: 'The first of two images to be mixed.',
  mixSecond: 'The second image.',
  depthMixMask:
    'Bright pixels come from the first image: those where its surface is nearer than, or within a small margin of, the ' +
    'second’s. So objects occlude each other as they would in the street.',
  classMixMask:
    'Bright pixels come from the first image: half of its classes, drawn at random. The rest shows the second.',
  cutMixMask: 'Bright pixels come from the first image, the dark box from the second.',
  noMixMask: 'All bright: nothing is mixed, the first image stays whole.',
  mixture:
    'The mixture that the student sees, before its colours are changed. After DepthMix near things of one image stand before ' +
    'far things of the other.',
  mixSource:
    'An image of the source domain, all of whose labels are known. Of several, the one with depths most like the target’s.',
  mixTarget: 'An image of the target domain.',
  crossDomainMask:
    'Bright pixels come from the source: those where its surface is nearer than the target’s. For half of the images it wins within ' +
    'a small margin too, for the others it must be nearer by that margin.',
  crossDomainLabel:
    'Truth on pixels of the source; on those of the target the teacher’s answer, or truth where the image has labels.',
  crossDomainWeight:
    'What a pixel counts in the loss: 1 (white) on the source, on the target the share of its pixels of which the teacher is sure.',
  mixedLabel:
    'Pseudo-labels of both images, cut along the same mask: what the student should say about the mixture.',
} as const;
