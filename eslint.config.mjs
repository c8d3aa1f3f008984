// Rules for our own scripts: what is wrong, what reads a string as HTML, and lines that a person can read.
import js from "@eslint/js";
import globals from "globals";

const ELEMENTS_ONLY = "Text goes into a page as text: use element(), and mark() or withTip() on a map.";

// Members that read a string as HTML: of elements, of documents, of Leaflet.
const READS_HTML = [
  ...["innerHTML", "outerHTML", "insertAdjacentHTML", "createContextualFragment", "parseFromString", "srcdoc"],
  ...["setHTML", "setHTMLUnsafe", "parseHTMLUnsafe", "writeln"],
  ...["divIcon", "DivIcon", "tooltip", "popup", "setContent", "addAttribution", "setPrefix"],
  ...["bindTooltip", "openTooltip", "setTooltipContent", "bindPopup", "openPopup", "setPopupContent"],
].map(property => ({ property, message: ELEMENTS_ONLY }));

const IN_THE_CATALOGUE = "Words stand in words.js, in Chinese and English: use say() or named().";
const syntax = selector => ({ selector, message: ELEMENTS_ONLY });

export default [
  { ignores: ["static/vendor/**", "node_modules/**", "**/*.d.ts", ".*/**"] },
  js.configs.recommended,
  {
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      "no-shadow": ["error", { builtinGlobals: false }],
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "no-implicit-globals": "error",
      "no-var": "error",
      "prefer-const": "error",
      "one-var": ["error", "never"],
      eqeqeq: "error",
      "no-throw-literal": "error",
      "no-nested-ternary": "error",
      "max-len": ["error", { code: 120, ignorePattern: '^    "' }], // a sentence of the catalogue has a line of its own
      "max-statements-per-line": "error",
    },
  },
  {
    files: ["static/js/**"],
    languageOptions: { globals: globals.browser },
    rules: {
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-script-url": "error",
      "no-restricted-globals": ["error", { name: "DOMParser", message: ELEMENTS_ONLY }],
      "no-restricted-properties": [
        "error",
        ...READS_HTML,
        { object: "document", property: "write", message: ELEMENTS_ONLY },
        { object: "control", property: "attribution", message: ELEMENTS_ONLY },
        { object: "window", property: "eval", message: ELEMENTS_ONLY },
      ],
      "no-restricted-syntax": [
        "error",
        syntax("Property[key.name=/^(innerHTML|outerHTML|srcdoc|attribution)$/]"),
        syntax("MemberExpression[object.property.name='control'][property.name='attribution']"),
        syntax("CallExpression[callee.name='element'] > [value=/^(script|iframe)$/i]"),
        syntax("CallExpression[callee.property.name='createElement'] > [value=/^(script|iframe)$/i]"),
        { selector: "Literal[value=/[\\u4e00-\\u9fff]/]", message: IN_THE_CATALOGUE },
        { selector: "TemplateElement[value.raw=/[\\u4e00-\\u9fff]/]", message: IN_THE_CATALOGUE },
      ],
    },
  },
  {
    // makes the elements itself, and refuses strings
    files: ["static/js/marks.js"],
    rules: {
      "no-restricted-properties": [
        "error",
        ...READS_HTML.filter(({ property }) => !["divIcon", "bindTooltip"].includes(property)),
      ],
    },
  },
  { files: ["static/js/words.js"], rules: { "no-restricted-syntax": "off" } },
  {
    files: ["**/*.mjs"],
    languageOptions: { globals: globals.node },
  },
];
