// The annotations in other hands: `read` is what a stand-in for the runner (github-action-ts-run-api) makes of a step's
// output, `write` what GitHub's own toolkit (@actions/core) prints for [level, title, file, message] of standard input.
const path = require("path");
const text = require("fs").readFileSync(0, "utf8");
const [, , home, what] = process.argv;
const installed = (...names) => require(path.join(home, "node_modules", ...names));

if (what === "write") {
  const core = installed("@actions", "core");
  for (const [level, title, file, message] of JSON.parse(text)) core[level](message, { title, file });
} else {
  const dist = ["github-action-ts-run-api", "dist", "stdout"];
  const { OutputsCommandsCollector } = installed(...dist, "OutputsCommandsCollector.js");
  const { parseStdoutCommand } = installed(...dist, "parseStdoutCommand.js");
  const collector = new OutputsCommandsCollector(true, false);
  collector.stdoutParsingStream.on("end", () => {
    const lines = text.trimEnd().split("\n").map(parseStdoutCommand);
    console.log(JSON.stringify({ store: collector.commandsStore.data, lines }));
  });
  collector.stdoutParsingStream.end(text);
}
