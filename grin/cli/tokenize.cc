// grin tokenize: text to ids and back.

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <cstdio>
#include <iostream>

#include "grin/base/error.h"
#include "grin/base/atomic_file.h"
#include "grin/cli/command.h"
#include "grin/gguf/open_checkpoint.h"
#include "grin/io/checkpoint.h"
#include "grin/text/tokenizer.h"

namespace grin {
namespace {

namespace fs = std::filesystem;

struct TokenizeOptions {
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

// From a checkpoint, a directory with tokenizer files only, a .gguf file, a tokenizer.json or a
// tokenizer.model.
Tokenizer LoadTokenizer(const std::string& source) {
  const fs::path path(source);
  const bool is_tokenizer = path.extension() == ".json" || path.extension() == ".model";
  if (fs::is_directory(path) || (is_tokenizer && fs::is_regular_file(path))) {
    return Tokenizer::Load(path);
  }
  const auto checkpoint = OpenCheckpoint(path);
  return Tokenizer::FromFiles([&](std::string_view name) { return checkpoint->SideText(name); },
                              checkpoint->path().string());
}

std::vector<std::string> TextLines(const TokenizeOptions& options) {
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
T ParseLine(const std::string& line, const char* expected) {
  try {
    return Json::parse(line).get<T>();
  } catch (const nlohmann::json::exception&) {
    BadInput("tokenize", "is not {}", expected);
  }
}

// One line in, one line of JSON out.
std::string Answer(const Tokenizer& tokenizer, const TokenizeOptions& options, const std::string& line) {
  if (options.decode) {
    const auto ids = ParseLine<std::vector<int32_t>>(line, "an array of ids");
    return Json(tokenizer.Decode(ids, options.no_special)).dump() + "\n";
  }
  const bool special = !options.no_special;
  const Encoding encoding =
      options.jsonl ? tokenizer.Encode(ParseLine<std::string>(line, "a JSON string"), special)
                    : tokenizer.Encode(line, special);
  return fmt::format("[{}]\n", fmt::join(encoding.ids, ","));
}

// The answers to lines [begin, end), on all threads. An error names the first line that has one.
std::vector<std::string> Answers(const Tokenizer& tokenizer, const TokenizeOptions& options,
                                 const std::vector<std::string>& lines, size_t begin, size_t end) {
  std::vector<std::string> answers(end - begin);
  std::vector<std::optional<std::string>> errors(end - begin);
  at::parallel_for(0, static_cast<int64_t>(end - begin), 64, [&](int64_t first, int64_t last) {
    for (int64_t i = first; i < last; ++i) {
      try {
        answers[i] = Answer(tokenizer, options, lines[begin + i]);
      } catch (const Error& error) {
        errors[i] = error.what();
      }
    }
  });
  for (size_t i = 0; i < errors.size(); ++i) {
    if (!errors[i]) continue;
    const std::string file = options.file.empty() ? "--text" : options.file;
    BadInput("tokenize", "{}:{}: {}", file, begin + i + 1, *errors[i]);
  }
  return answers;
}

void TokenizeCommand(const TokenizeOptions& options) {
  Require(options.model.model, "--model");
  if (options.text.empty() == options.file.empty()) {
    BadUsage("tokenize", "give either --text TEXT or --file FILE");
  }
  constexpr size_t kBlock = 1 << 14;  // lines whose answers are in memory
  const Tokenizer tokenizer = LoadTokenizer(options.model.model);
  const std::vector<std::string> lines = TextLines(options);
  for (size_t begin = 0; begin < lines.size(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, lines.size());
    for (const std::string& answer : Answers(tokenizer, options, lines, begin, end)) {
      std::fwrite(answer.data(), 1, answer.size(), stdout);
    }
  }
}

std::function<void()> SetUpTokenize(Flags& flags, const CommonOptions&) {
  auto options = std::make_shared<TokenizeOptions>();
  flags.Bind("Input", options->model);
  flags.Bind("Input", *options);
  return [options] { TokenizeCommand(*options); };
}

}  // namespace

extern const Command kTokenize;
const Command kTokenize = {
    .name = "tokenize",
    .summary = "text to token ids, or back",
    .examples =
        "Examples:\n"
        "  grin tokenize --model M --text \"Hello\"\n"
        "  grin tokenize --model tokenizer.json --file texts.jsonl --jsonl\n"
        "Each line in gives one JSON line out. MODEL may also be a directory with tokenizer "
        "files only.",
    .set_up = SetUpTokenize,
    .heeds = ""};

}  // namespace grin
