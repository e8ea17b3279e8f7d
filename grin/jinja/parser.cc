// Statements: everything in {% %}, and the text between.

#include "grin/jinja/expression_parser.h"

namespace grin::jinja {
namespace {

using Tag = Statement::Kind;
using Body = Statement::Body;

constexpr int kDeepestBlock = 100;

class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  std::unique_ptr<Statement> Run() {
    auto root = Make(Tag::kBody);
    root->bodies.push_back(ParseBody({}));
    return root;
  }

 private:
  std::unique_ptr<Statement> Make(Tag kind) const {
    return std::make_unique<Statement>(Statement{.kind = kind, .line = current().line});
  }

  // Up to a tag that begins with one of `ends`, whose name is then the current token; up to the
  // end of the template when there are none.
  Body ParseBody(std::initializer_list<std::string_view> ends) {
    if (++depth_ > kDeepestBlock)
      Fail(fmt::format("blocks are nested deeper than {} levels", kDeepestBlock));
    Body body;
    const int line = previous().line;
    while (!Is(TokenKind::kEnd)) {
      if (Is(TokenKind::kText)) {
        body.push_back(Make(Tag::kText));
        body.back()->text = Next().text;
      } else if (Is(TokenKind::kPrintBegin)) {
        Next();
        body.push_back(Make(Tag::kPrint));
        body.back()->parts.push_back(ParseTuple());
        if (!Is(TokenKind::kPrintEnd)) Unexpected("'}}'");
        Next();
      } else {
        Next();  // {%
        for (std::string_view end : ends) {
          if (IsName(end)) {
            --depth_;
            return body;
          }
        }
        body.push_back(ParseStatement());
      }
    }
    if (ends.size() > 0) {
      Fail(
          fmt::format("the block of line {} is not closed by {{% {} %}}", line, *(ends.end() - 1)));
    }
    --depth_;
    return body;
  }

  // The end of a tag, before which Jinja allows a colon as in Python.
  void EndTag() {
    SkipOperator(":");
    if (!Is(TokenKind::kBlockEnd)) Unexpected("'%}'");
    Next();
  }

  // The rest of this tag, the body and {% end %}.
  Body ParseBlock(std::string_view end) {
    EndTag();
    Body body = ParseBody({end});
    Next();
    EndTag();
    return body;
  }

  std::unique_ptr<Statement> ParseStatement() {
    if (!Is(TokenKind::kName)) Unexpected("the name of a tag");
    if (IsName("if")) return ParseIf();
    if (IsName("for")) return ParseFor();
    if (IsName("set")) return ParseSet();
    if (IsName("macro")) return ParseMacro();
    if (IsName("call")) return ParseCall();
    if (IsName("with")) return ParseWith();
    if (IsName("filter")) return ParseFilterBlock();
    if (IsName("generation")) return ParseScope("endgeneration");
    if (IsName("break") || IsName("continue")) return ParseJump();
    Unexpected(
        "a tag that chat templates use (if, for, set, macro, call, with, filter, generation, "
        "break, continue)");
  }

  std::unique_ptr<Statement> ParseIf() {
    auto statement = Make(Tag::kIf);
    do {
      Next();  // if, elif
      statement->parts.push_back(ParseTuple(false));
      EndTag();
      statement->bodies.push_back(ParseBody({"elif", "else", "endif"}));
    } while (IsName("elif"));
    if (SkipName("else")) {
      statement->bodies.push_back(ParseBlock("endif"));
    } else {
      Next();
      EndTag();
    }
    return statement;
  }

  std::unique_ptr<Statement> ParseFor() {
    auto statement = Make(Tag::kFor);
    Next();
    statement->parts.push_back(ParseTarget(false));
    if (!SkipName("in")) Unexpected("'in'");
    statement->parts.push_back(ParseTuple(false));
    statement->parts.push_back(SkipName("if") ? ParseExpression() : nullptr);
    if (IsName("recursive")) Fail("recursive loops are not supported");
    EndTag();
    ++loops_;
    statement->bodies.push_back(ParseBody({"else", "endfor"}));
    --loops_;
    if (SkipName("else")) {
      statement->bodies.push_back(ParseBlock("endfor"));
    } else {
      Next();
      EndTag();
    }
    return statement;
  }

  std::unique_ptr<Statement> ParseSet() {
    auto statement = Make(Tag::kSet);
    Next();
    statement->parts.push_back(ParseTarget(true));
    if (SkipOperator("=")) {
      statement->parts.push_back(ParseTuple());
      EndTag();
      return statement;
    }
    statement->kind = Tag::kSetBlock;
    statement->parts.push_back(SkipOperator("|") ? ParseFilters(nullptr) : nullptr);
    statement->bodies.push_back(ParseBlock("endset"));
    return statement;
  }

  void ParseParameters(Statement& macro) {
    ExpectOperator("(");
    while (!IsOperator(")")) {
      macro.parameters.push_back(ExpectName());
      macro.parts.push_back(SkipOperator("=") ? ParseExpression() : nullptr);
      if (!SkipOperator(",")) break;
    }
    ExpectOperator(")");
  }

  Body ParseMacroBody(std::string_view end) {
    const int loops = std::exchange(loops_, 0);  // a macro cannot break its caller's loop
    Body body = ParseBlock(end);
    loops_ = loops;
    return body;
  }

  std::unique_ptr<Statement> ParseMacro() {
    auto statement = Make(Tag::kMacro);
    Next();
    statement->text = ExpectName();
    ParseParameters(*statement);
    statement->bodies.push_back(ParseMacroBody("endmacro"));
    return statement;
  }

  std::unique_ptr<Statement> ParseCall() {
    auto statement = Make(Tag::kCall);
    Next();
    statement->caller = Make(Tag::kMacro);
    statement->caller->text = "caller";
    if (IsOperator("(")) ParseParameters(*statement->caller);
    statement->parts.push_back(ParseExpression());
    if (statement->parts[0]->kind != Expression::Kind::kCall) Unexpected("the call of a macro");
    statement->caller->bodies.push_back(ParseMacroBody("endcall"));
    return statement;
  }

  std::unique_ptr<Statement> ParseWith() {
    auto statement = Make(Tag::kWith);
    Next();
    while (!Is(TokenKind::kBlockEnd)) {
      if (!statement->parts.empty()) ExpectOperator(",");
      auto name = std::make_unique<Expression>(
          Expression{.kind = Expression::Kind::kName, .line = current().line});
      name->text = ExpectName();
      statement->parts.push_back(std::move(name));
      ExpectOperator("=");
      statement->parts.push_back(ParseExpression());
    }
    statement->bodies.push_back(ParseBlock("endwith"));
    return statement;
  }

  std::unique_ptr<Statement> ParseFilterBlock() {
    auto statement = Make(Tag::kFilterBlock);
    Next();
    statement->parts.push_back(ParseFilters(nullptr));
    statement->bodies.push_back(ParseMacroBody("endfilter"));
    return statement;
  }

  std::unique_ptr<Statement> ParseScope(std::string_view end) {
    auto statement = Make(Tag::kScope);
    Next();
    statement->bodies.push_back(ParseMacroBody(end));
    return statement;
  }

  std::unique_ptr<Statement> ParseJump() {
    auto statement = Make(IsName("break") ? Tag::kBreak : Tag::kContinue);
    if (loops_ == 0) Fail(fmt::format("'{}' stands outside of a loop", current().text));
    Next();
    EndTag();
    return statement;
  }

  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

std::unique_ptr<Statement> Parse(std::string_view source, std::string_view name) {
  return Parser(Tokenize(source, name), name).Run();
}

}  // namespace grin::jinja
