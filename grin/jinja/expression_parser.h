#pragma once
// From tokens to expressions, with Jinja's order of operators.

#include <string_view>
#include <vector>

#include "grin/jinja/lexer.h"
#include "grin/jinja/syntax.h"

namespace grin::jinja {

class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, std::string_view name)
      : tokens_(std::move(tokens)), name_(name) {}

 protected:
  const Token& current() const { return tokens_[at_]; }
  const Token& previous() const { return tokens_[at_ > 0 ? at_ - 1 : 0]; }
  bool Is(TokenKind kind) const { return current().kind == kind; }
  bool IsName(std::string_view name) const {
    return Is(TokenKind::kName) && current().text == name;
  }
  bool IsOperator(std::string_view text) const {
    return Is(TokenKind::kOperator) && current().text == text;
  }
  const Token& Next() { return tokens_[Is(TokenKind::kEnd) ? at_ : at_++]; }
  bool SkipName(std::string_view name) { return IsName(name) && (Next(), true); }
  bool SkipOperator(std::string_view text) { return IsOperator(text) && (Next(), true); }
  void ExpectOperator(std::string_view text);
  std::string ExpectName();

  // Fails with what stands here and what was expected.
  [[noreturn]] void Unexpected(std::string_view expected) const;
  [[noreturn]] void Fail(std::string_view message) const;

  // With `conditional` off, an "if" ends the expression.
  ExpressionPtr ParseExpression(bool conditional = true);
  // One expression, or several with commas as a tuple.
  ExpressionPtr ParseTuple(bool conditional = true, bool may_be_empty = false);
  // What can be assigned to: names, tuples of them, and with `space` the member of a namespace.
  ExpressionPtr ParseTarget(bool space);
  // name(arguments) | name | ..., applied to `input`.
  ExpressionPtr ParseFilters(ExpressionPtr input);

 private:
  // Keeps the parser from running out of stack.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.depth_; }

   private:
    ExpressionParser& parser_;
  };
  using Rule = ExpressionPtr (ExpressionParser::*)();

  ExpressionPtr Make(Expression::Kind kind, int line, ExpressionPtr a = nullptr,
                     ExpressionPtr b = nullptr) const;
  // Sets the depth, which is bounded: evaluation must not run out of stack either.
  ExpressionPtr Done(ExpressionPtr expression) const;

  ExpressionPtr ParseBinary(std::initializer_list<std::string_view> operators, Rule operand);
  ExpressionPtr ParseOr();
  ExpressionPtr ParseAnd();
  ExpressionPtr ParseNot();
  ExpressionPtr ParseComparison();
  ExpressionPtr ParseSum() { return ParseBinary({"+", "-"}, &ExpressionParser::ParseConcat); }
  ExpressionPtr ParseConcat();
  ExpressionPtr ParseProduct() {
    return ParseBinary({"*", "/", "//", "%"}, &ExpressionParser::ParsePower);
  }
  ExpressionPtr ParsePower() { return ParseBinary({"**"}, &ExpressionParser::ParseUnaryFiltered); }
  ExpressionPtr ParseUnaryFiltered() { return ParseUnary(true); }
  ExpressionPtr ParseUnary(bool filters);
  ExpressionPtr ParsePrimary();
  ExpressionPtr ParseList();
  ExpressionPtr ParseDict();
  ExpressionPtr ParsePostfix(ExpressionPtr expression);
  ExpressionPtr ParseSubscript(ExpressionPtr object);
  ExpressionPtr ParseFiltersAndTests(ExpressionPtr expression);
  ExpressionPtr ParseTest(ExpressionPtr input);
  void ParseArguments(Expression& call);

  std::vector<Token> tokens_;
  std::string_view name_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace grin::jinja
