// Fields that every rule has: the code of a new one, and its names.
import { field } from "../office.js";
import { say } from "../text.js";

/** The code of a new rule; it stays. */
export const newCode = () =>
  field(say("itsCode"), "code", { required: true, pattern: "[a-z][a-z0-9_]{0,31}", title: say("codeForm") });

/**
 * Names in both languages.
 * @param {{ name_zh: string, name_en: string } | undefined} was
 */
export const names = was => [
  field(say("nameZh"), "name_zh", { required: true, maxLength: 100, value: was?.name_zh ?? "" }),
  field(say("nameEn"), "name_en", { required: true, maxLength: 100, value: was?.name_en ?? "" }),
];
