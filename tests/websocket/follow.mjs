// Follows all changes and one process with npm's `ws`: reconnects, resumes, and tells what it saw.
import { createRequire } from "node:module";

const [modules, url, processId] = process.argv.slice(2);
const WebSocket = createRequire(`${modules}/`)("ws");
const seen = { content: "", numbers: [], codes: [], types: [] };
const left = new Set(["changes", "output"]);
let cursor;

function connect() {
  const socket = new WebSocket(url);
  socket.on("open", () => {
    socket.send(JSON.stringify({ type: "subscribe", since: seen.numbers.at(-1) ?? 0 }));
    socket.send(JSON.stringify({ type: "follow", processId, after: cursor }));
  });
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    seen.types.push(message.type);
    if (message.seq) seen.numbers.push(message.seq);
    cursor = message.cursor ?? cursor;
    if (message.type === "chunk") {
      seen.content += message.content;
      console.log(JSON.stringify({ content: seen.content }));
    }
    if (message.type === "done") left.delete("output");
    if (message.type === "process-updated" && message.process.promptPreview === "last") {
      left.delete("changes");
    }
    if (left.size === 0 && !seen.over) {
      console.log(JSON.stringify(seen));
      socket.close(1000);
      process.exitCode = 0;
      seen.over = true;
    }
  });
  socket.on("close", (code) => {
    seen.codes.push(code);
    if (!seen.over) setTimeout(connect, 50);
  });
  socket.on("error", () => {});
}

connect();
