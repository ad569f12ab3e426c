// Language and appearance. Both are kept in this browser; neither says who one is.
const THEMES = { light: "Light", dark: "Dark", system: "System" };
const YEAR = 365 * 24 * 3600;

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  document.documentElement.lang = data.language;
  const language = parentElement.querySelector("select[name=language]");
  fill(language, data.languageLabel, data.languages, data.language);
  language.onchange = () => {
    const secure = location.protocol === "https:" ? ";Secure" : "";
    document.cookie =
      `cityverse_language=${language.value};path=/;max-age=${YEAR};SameSite=Lax${secure}`;
    setTriggerValue("language", language.value);
  };
  const theme = parentElement.querySelector("select[name=theme]");
  fill(theme, data.themeLabel, data.themes, storedTheme());
  theme.onchange = () => {
    for (const path of data.paths) {
      localStorage.setItem(`stActiveTheme-${path}-v2`, JSON.stringify(THEMES[theme.value]));
    }
    location.reload();
  };
}

// Streamlit keeps the theme for each path of its own, so all paths are set alike.
function storedTheme() {
  const stored = localStorage.getItem(`stActiveTheme-${location.pathname}-v2`);
  return Object.keys(THEMES).find((name) => JSON.stringify(THEMES[name]) === stored) ?? "system";
}

function fill(select, label, options, chosen) {
  select.setAttribute("aria-label", label);
  select.previousElementSibling.textContent = label;
  select.replaceChildren(
    ...options.map(([value, text]) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = text;
      option.selected = value === chosen;
      return option;
    }),
  );
}
