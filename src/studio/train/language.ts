// Some browsers give their language in a form that Intl refuses, such as `en-US@posix`, and uPlot asks Intl as soon as it is loaded.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en' });
}
