declare module '*.py' {
  const program: string;
  export default program;
}
