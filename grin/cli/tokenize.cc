// grin tokenize: text to ids and back.

#include <cstdio>
#include <iostream>

#include "grin/base/error.h"
#include "grin/cli/command.h"
#include "grin/io/checkpoint.h"
#include "grin/text/tokenizer.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct Options {
  ModelOptions model;
  std::string text, file;
  bool jsonl = false, no_special = false, decode = false;

  template <typename Visitor>
  void Visit(Visitor& visit) {
    visit("text", text, "one text");
    visit("file", file, "a file of texts, one per line; - is standard input");
    visit("jsonl", jsonl, "lines of the file are JSON strings");
    visit("no-special", no_special, "leave out what the post-processor adds");
    visit("decode", decode, "lines are arrays of ids; print text as JSON strings");
  }
};

// From a checkpoint, a directory with tokenizer files only, a .gguf file or a tokenizer.json.
Tokenizer LoadTokenizer(const std::string& source) {
  const fs::path path(source);
  if (fs::is_regular_file(path) && path.extension() == ".json") return Tokenizer::Load(path);
  if (fs::is_directory(path)) return Tokenizer::Load(path);
  const auto checkpoint = Checkpoint::Open(path);
  return Tokenizer::FromFiles([&](std::string_view name) { return checkpoint->SideText(name); },
                              checkpoint->path().string());
}

std::vector<std::string> Lines(const Options& options) {
  if (options.file.empty()) return {options.text};
  std::string content;
  if (options.file == "-") {
    content.assign(std::istreambuf_iterator<char>(std::cin), {});
  } else {
    content = ReadFile(options.file);
  }
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < content.size();) {
    const size_t end = std::min(content.find('\n', begin), content.size());
    lines.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

template <typename T>
T ParseLine(const std::string& line, const Options& options, size_t number, const char* expected) {
  try {
    return Json::parse(line).get<T>();
  } catch (const nlohmann::json::exception&) {
    BadInput("tokenize", "{}:{}: is not {}", options.file.empty() ? "--text" : options.file, number,
             expected);
  }
}

void Run(const Options& options) {
  Require(options.model.model, "--model");
  if (options.text.empty() == options.file.empty()) {
    BadUsage("tokenize", "give either --text TEXT or --file FILE");
  }
  const Tokenizer tokenizer = LoadTokenizer(options.model.model);
  size_t number = 0;
  for (const std::string& line : Lines(options)) {
    ++number;
    Json out;
    if (options.decode) {
      const auto ids = ParseLine<std::vector<int32_t>>(line, options, number, "an array of ids");
      out = tokenizer.Decode(ids, options.no_special);
    } else {
      const std::string text =
          options.jsonl ? ParseLine<std::string>(line, options, number, "a JSON string") : line;
      try {
        out = tokenizer.Encode(text, !options.no_special).ids;
      } catch (const Error& error) {
        if (options.file.empty()) throw;
        BadInput("tokenize", "{}:{}: {}", options.file, number, error.what());
      }
    }
    std::fputs((out.dump() + "\n").c_str(), stdout);
  }
}

std::function<void()> SetUp(Flags& flags, const CommonOptions&) {
  auto options = std::make_shared<Options>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", *options);
  return [options] { Run(*options); };
}

}  // namespace

extern const Command kTokenize;
const Command kTokenize = {
    .name = "tokenize",
    .summary = "text to token ids, or back",
    .examples = "Examples:\n"
                "  grin tokenize --model M --text \"Hello\"\n"
                "  grin tokenize --model tokenizer.json --file texts.jsonl --jsonl\n"
                "Each line in gives one JSON line out. MODEL may also be a directory with tokenizer "
                "files only.",
    .set_up = SetUp};

}  // namespace grin
