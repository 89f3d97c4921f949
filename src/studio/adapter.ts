/** Whether this page can compute, and what its reader should know or do. */
export type AdapterReport =
  | { ok: true; software: boolean; name: string; advice: string | null }
  | { ok: false; problem: string; advice: string };

/** Asks the browser for an adapter. The device is opened by workers. */
export async function findAdapter(): Promise<AdapterReport> {
  if (!isSecureContext) {
    return {
      ok: false,
      problem: `This page came from ${location.origin}, and browsers offer WebGPU only to pages from https: or from this machine.`,
      advice: "Open it as http://127.0.0.1 ('warpmix studio' prints the address), or serve it with https.",
    };
  }
  if (!('gpu' in navigator)) {
    return {
      ok: false,
      problem: 'This browser has no WebGPU.',
      advice:
        'Use Chrome or Edge 113 or later, Safari 26 or later, or Firefox 141 or later on Windows. On Linux, Chrome may need ' +
        'chrome://flags/#enable-unsafe-webgpu. Training without a browser: npx warpmix train.',
    };
  }
  const adapter = await navigator.gpu
    .requestAdapter({ powerPreference: 'high-performance' })
    .catch(() => null);
  if (!adapter) {
    return {
      ok: false,
      problem:
        'This browser has WebGPU, but offers no adapter: no GPU, a driver that it does not trust, or graphics switched off.',
      advice:
        'Look at chrome://gpu for the reason; switch hardware acceleration on in the settings, or start Chrome with ' +
        '--enable-unsafe-webgpu. Without any GPU: npx warpmix train runs on a software adapter.',
    };
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const software =
    isFallbackAdapter ?? /swiftshader|llvmpipe|lavapipe/i.test(`${architecture} ${description}`);
  const name = [vendor, description || architecture].filter(Boolean).join(' ') || 'unnamed adapter';
  return {
    ok: true,
    software,
    name,
    advice: software
      ? 'A program on the processor stands in for a GPU: everything works, slowly, and times say nothing of a GPU. Where this machine has ' +
        'a GPU, see chrome://gpu for why it is not used.'
      : null,
  };
}
