/** A section of the page, loaded when it is first shown. */
export interface Section {
  /** Called each time the section is shown again, and when the address has changed. */
  shown?(): void;
}
