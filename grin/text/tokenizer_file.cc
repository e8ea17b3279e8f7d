#include "grin/text/tokenizer_file.h"

#include <limits>

#include "grin/base/error.h"

namespace grin {
namespace {

constexpr size_t kDeepestJson = 100;

// Builds the settings from parser events and diverts model.vocab and model.merges.
class FileReader {
 public:
  using number_integer_t = Json::number_integer_t;
  using number_unsigned_t = Json::number_unsigned_t;
  using number_float_t = Json::number_float_t;
  using string_t = Json::string_t;
  using binary_t = Json::binary_t;

  // `vocabulary_only`: the whole text is what a tokenizer.json has as model.vocab.
  FileReader(TokenizerFile& file, std::string_view where, bool vocabulary_only = false)
      : file_(file), where_(where), vocabulary_only_(vocabulary_only) {}

  bool null() { return Value(Json(nullptr)); }
  bool boolean(bool value) { return Value(Json(value)); }
  bool number_integer(number_integer_t value) { return Number(value); }
  bool number_unsigned(number_unsigned_t value) {
    const auto most = static_cast<number_unsigned_t>(std::numeric_limits<int64_t>::max());
    return Number(static_cast<int64_t>(std::min(value, most)));
  }
  bool number_float(number_float_t value, const string_t&) {
    return in_pieces_ ? Score(value) : Value(Json(value));
  }
  bool binary(binary_t&) { return true; }  // JSON text has none

  bool string(string_t& value) {
    if (in_pieces_) return Piece(std::move(value));
    if (!in_merges_) return Value(Json(std::move(value)));
    if (in_pair_) {
      pair_.push_back(std::move(value));
      return true;
    }
    if (value.starts_with("#version")) return true;
    const size_t space = value.find(' ');
    if (space == std::string::npos || value.find(' ', space + 1) != std::string::npos) {
      BadInput("text", "{}: merge {} is '{}', expected two tokens with a space between", where_,
               file_.merges.size(), value);
    }
    file_.merges.emplace_back(value.substr(0, space), value.substr(space + 1));
    return true;
  }

  bool key(string_t& value) {
    key_ = std::move(value);
    return true;
  }

  bool start_object(size_t) {
    RefuseInMerges("an object");
    if (in_pieces_) RefusePiece();
    if (in_vocabulary_) RefuseInVocabulary("an object");
    if (vocabulary_only_ || (InModel() && key_ == "vocab")) {
      file_.vocabulary.clear();
      file_.has_vocabulary = in_vocabulary_ = true;
      return true;
    }
    return Open(Json::object());
  }

  bool end_object() {
    if (in_vocabulary_) {
      in_vocabulary_ = false;
      return true;
    }
    return Close();
  }

  bool start_array(size_t) {
    if (in_merges_) {
      if (in_pair_) RefuseInMerges("an array in an array");
      in_pair_ = true;
      pair_.clear();
      return true;
    }
    if (in_vocabulary_) RefuseInVocabulary("an array");
    if (in_pieces_) {
      if (in_pair_) RefusePiece();
      in_pair_ = true;
      pair_.clear();
      scored_ = false;
      return true;
    }
    if (InModel() && key_ == "vocab") {
      file_.pieces.clear();
      file_.has_pieces = in_pieces_ = true;
      return true;
    }
    if (InModel() && key_ == "merges") {
      file_.merges.clear();
      file_.has_merges = in_merges_ = true;
      return true;
    }
    return Open(Json::array());
  }

  bool end_array() {
    if (in_pieces_ && in_pair_) {
      if (!scored_) RefusePiece();
      in_pair_ = false;
      return true;
    }
    if (in_pieces_) {
      in_pieces_ = false;
      return true;
    }
    if (in_pair_) {
      if (pair_.size() != 2) {
        BadInput("text", "{}: merge {} has {} parts, expected two tokens", where_,
                 file_.merges.size(), pair_.size());
      }
      file_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
      in_pair_ = false;
      return true;
    }
    if (in_merges_) {
      in_merges_ = false;
      return true;
    }
    return Close();
  }

  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) {
    std::string_view what = error.what();
    if (const size_t colon = what.find("error while parsing"); colon != std::string_view::npos) {
      what.remove_prefix(colon);
    }
    BadInput("text", "{}: not valid JSON at byte {}: {}", where_, position, what);
  }

 private:
  bool InModel() const { return stack_.size() == 2 && model_open_; }

  // Where a value goes that is not diverted.
  Json& Place() {
    if (stack_.empty()) return file_.settings;
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(nullptr);
      return parent.back();
    }
    return parent[key_];
  }

  bool Open(Json container) {
    if (stack_.size() >= kDeepestJson) {
      BadInput("text", "{}: nested deeper than {} levels", where_, kDeepestJson);
    }
    if (stack_.size() == 1) model_open_ = stack_[0]->is_object() && key_ == "model";
    Json& place = Place();
    place = std::move(container);
    stack_.push_back(&place);
    return true;
  }

  bool Close() {
    stack_.pop_back();
    return true;
  }

  bool Number(int64_t value) {
    if (in_pieces_) return Score(static_cast<double>(value));
    if (!in_vocabulary_) return Value(Json(value));
    file_.vocabulary.emplace_back(std::move(key_), value);
    return true;
  }

  // A piece is a string and then its score.
  bool Piece(std::string text) {
    if (!in_pair_ || !pair_.empty()) RefusePiece();
    pair_.push_back(std::move(text));
    return true;
  }

  bool Score(double value) {
    if (!in_pair_ || pair_.empty() || scored_) RefusePiece();
    file_.pieces.emplace_back(std::move(pair_[0]), value);
    return scored_ = true;
  }

  [[noreturn]] void RefusePiece() const {
    BadInput("text", "{}: model.vocab[{}] is not a pair of a token and its score", where_,
             file_.pieces.size());
  }

  bool Value(Json value) {
    if (in_pieces_) RefusePiece();
    RefuseInMerges("a value that is not a string");
    if (in_vocabulary_) RefuseInVocabulary(value.dump());
    Place() = std::move(value);
    return true;
  }

  void RefuseInMerges(std::string_view what) const {
    if (!in_merges_) return;
    BadInput("text", "{}: merge {} is {}, expected two tokens", where_, file_.merges.size(), what);
  }

  void RefuseInVocabulary(std::string_view what) const {
    BadInput("text", "{}: model.vocab['{}'] is {}, expected a token id", where_, key_, what);
  }

  TokenizerFile& file_;
  std::string_view where_;
  bool vocabulary_only_;
  std::string key_;
  // Pointers stay valid: a parent only grows after its open child is closed.
  std::vector<Json*> stack_;
  std::vector<std::string> pair_;
  bool model_open_ = false;
  bool in_vocabulary_ = false;
  bool in_merges_ = false;
  bool in_pieces_ = false;
  bool scored_ = false;  // the open piece has its score
  bool in_pair_ = false;
};

}  // namespace

TokenizerFile ParseTokenizerFile(std::string_view json_text, std::string_view where) {
  TokenizerFile file;
  FileReader reader(file, where);
  Json::sax_parse(json_text.begin(), json_text.end(), &reader);
  if (!file.settings.is_object()) BadInput("text", "{}: not a JSON object", where);
  return file;
}

std::vector<std::pair<std::string, int64_t>> ParseVocabulary(std::string_view json_text,
                                                             std::string_view where) {
  TokenizerFile file;
  FileReader reader(file, where, true);
  Json::sax_parse(json_text.begin(), json_text.end(), &reader);
  if (!file.has_vocabulary) BadInput("text", "{}: not a JSON object", where);
  return std::move(file.vocabulary);
}

}  // namespace grin
