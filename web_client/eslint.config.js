import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["node_modules", "**/*.generated.ts", "scripts", "tests/screens", "eslint.config.js"] },
  ...tseslint.configs.strictTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Text only: nothing a person typed may become markup.
      "no-restricted-syntax": [
        "error",
        { selector: "JSXAttribute[name.name='dangerouslySetInnerHTML']", message: "text only" },
        { selector: "MemberExpression[property.name=/^(innerHTML|outerHTML|insertAdjacentHTML)$/]", message: "text only" },
      ],
      "max-lines": ["error", 500],
      "max-lines-per-function": ["error", { max: 60, skipComments: true, skipBlankLines: true }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // `onClick={() => (signal.value = x)}` is how Preact handlers read.
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true, ignoreVoidOperator: true }],
      "@typescript-eslint/no-unnecessary-condition": "error",
    },
  },
  { files: ["tests/**"], rules: { "max-lines-per-function": "off" } },
);
