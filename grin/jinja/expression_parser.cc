#include "grin/jinja/expression_parser.h"

#include <algorithm>

namespace grin::jinja {
namespace {

using Node = Expression::Kind;

constexpr int kDeepestExpression = 100;

std::string Describe(const Token& token) {
  switch (token.kind) {
    case TokenKind::kEnd:
      return "the end of the template";
    case TokenKind::kText:
      return "text";
    case TokenKind::kString:
      return fmt::format("the string '{}'", token.text);
    default:
      return fmt::format("'{}'", token.text);
  }
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.depth_ > kDeepestExpression) {
    --parser_.depth_;
    parser_.Fail(fmt::format("expressions are nested deeper than {} levels", kDeepestExpression));
  }
}

void ExpressionParser::Fail(std::string_view message) const {
  FailAt(name_, current().line, message);
}

void ExpressionParser::Unexpected(std::string_view expected) const {
  Fail(fmt::format("found {} where {} was expected", Describe(current()), expected));
}

void ExpressionParser::ExpectOperator(std::string_view text) {
  if (!SkipOperator(text)) Unexpected(fmt::format("'{}'", text));
}

std::string ExpressionParser::ExpectName() {
  if (!Is(TokenKind::kName)) Unexpected("a name");
  return Next().text;
}

ExpressionPtr ExpressionParser::Done(ExpressionPtr expression) const {
  const auto deepen = [&](const ExpressionPtr& part) {
    if (part) expression->depth = std::max(expression->depth, part->depth + 1);
  };
  for (const ExpressionPtr& part : expression->parts) deepen(part);
  for (const auto& [name, part] : expression->named) deepen(part);
  // A chain such as a + b + c nests to the left without the parser's own nesting.
  if (expression->depth > 4 * kDeepestExpression) {
    FailAt(name_, expression->line,
           fmt::format("an expression has more than {} parts in a chain", 4 * kDeepestExpression));
  }
  return expression;
}

ExpressionPtr ExpressionParser::Make(Node kind, int line, ExpressionPtr a, ExpressionPtr b) const {
  auto expression = std::make_unique<Expression>(Expression{.kind = kind, .line = line});
  if (a) expression->parts.push_back(std::move(a));
  if (b) expression->parts.push_back(std::move(b));
  return Done(std::move(expression));
}

ExpressionPtr ExpressionParser::ParseExpression(bool conditional) {
  const Nesting nesting(*this);
  ExpressionPtr expression = ParseOr();
  while (conditional && IsName("if")) {
    const int line = Next().line;
    ExpressionPtr test = ParseOr();
    ExpressionPtr choice = Make(Node::kConditional, line, std::move(expression), std::move(test));
    choice->parts.push_back(SkipName("else") ? ParseExpression() : nullptr);
    expression = Done(std::move(choice));
  }
  return expression;
}

ExpressionPtr ExpressionParser::ParseTuple(bool conditional, bool may_be_empty) {
  const int line = current().line;
  const auto ends = [&] {
    return Is(TokenKind::kBlockEnd) || Is(TokenKind::kPrintEnd) || IsOperator(")");
  };
  std::vector<ExpressionPtr> parts;
  bool tuple = may_be_empty && ends();
  while (!tuple || !ends()) {
    parts.push_back(ParseExpression(conditional));
    if (!SkipOperator(",")) break;
    tuple = true;
  }
  if (!tuple) return std::move(parts[0]);
  ExpressionPtr expression = Make(Node::kTuple, line);
  expression->parts = std::move(parts);
  return Done(std::move(expression));
}

ExpressionPtr ExpressionParser::ParseTarget(bool space) {
  const Nesting nesting(*this);
  const int line = current().line;
  std::vector<ExpressionPtr> parts;
  bool tuple = false;
  do {
    if (tuple && !Is(TokenKind::kName) && !IsOperator("(")) break;  // a last comma
    if (SkipOperator("(")) {
      parts.push_back(ParseTarget(space));
      ExpectOperator(")");
    } else {
      ExpressionPtr name = Make(Node::kName, current().line);
      name->text = ExpectName();
      if (space && SkipOperator(".")) {
        name = Make(Node::kAttribute, line, std::move(name));
        name->text = ExpectName();
      }
      parts.push_back(std::move(name));
    }
    tuple = tuple || IsOperator(",");
  } while (SkipOperator(","));
  if (!tuple) return std::move(parts[0]);
  ExpressionPtr expression = Make(Node::kTuple, line);
  expression->parts = std::move(parts);
  return Done(std::move(expression));
}

ExpressionPtr ExpressionParser::ParseBinary(std::initializer_list<std::string_view> operators,
                                            Rule operand) {
  ExpressionPtr left = (this->*operand)();
  while (Is(TokenKind::kOperator) &&
         std::find(operators.begin(), operators.end(), current().text) != operators.end()) {
    const Token& token = Next();
    left = Make(Node::kArithmetic, token.line, std::move(left), (this->*operand)());
    left->text = token.text;
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseOr() {
  ExpressionPtr left = ParseAnd();
  while (IsName("or")) {
    const int line = Next().line;
    left = Make(Node::kOr, line, std::move(left), ParseAnd());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseAnd() {
  ExpressionPtr left = ParseNot();
  while (IsName("and")) {
    const int line = Next().line;
    left = Make(Node::kAnd, line, std::move(left), ParseNot());
  }
  return left;
}

ExpressionPtr ExpressionParser::ParseNot() {
  if (!IsName("not")) return ParseComparison();
  const Nesting nesting(*this);
  const int line = Next().line;
  return Make(Node::kNot, line, ParseNot());
}

ExpressionPtr ExpressionParser::ParseComparison() {
  const int line = current().line;
  ExpressionPtr first = ParseSum();
  std::vector<ExpressionPtr> others;
  std::vector<std::string> operators;
  for (;;) {
    constexpr std::string_view kComparisons[] = {"==", "!=", "<", "<=", ">", ">="};
    const bool comparison =
        Is(TokenKind::kOperator) && std::find(std::begin(kComparisons), std::end(kComparisons),
                                              current().text) != std::end(kComparisons);
    const bool not_in =
        IsName("not") && tokens_[at_ + 1].kind == TokenKind::kName && tokens_[at_ + 1].text == "in";
    if (!comparison && !not_in && !IsName("in")) break;
    operators.push_back(not_in ? "not in" : current().text);
    Next();
    if (not_in) Next();
    others.push_back(ParseSum());
  }
  if (others.empty()) return first;
  ExpressionPtr expression = Make(Node::kCompare, line, std::move(first));
  for (ExpressionPtr& other : others) expression->parts.push_back(std::move(other));
  expression->operators = std::move(operators);
  return Done(std::move(expression));
}

ExpressionPtr ExpressionParser::ParseConcat() {
  ExpressionPtr first = ParseProduct();
  if (!IsOperator("~")) return first;
  ExpressionPtr expression = Make(Node::kConcat, current().line, std::move(first));
  while (SkipOperator("~")) expression->parts.push_back(ParseProduct());
  return Done(std::move(expression));
}

ExpressionPtr ExpressionParser::ParseUnary(bool filters) {
  const Nesting nesting(*this);
  ExpressionPtr expression;
  const int line = current().line;
  if (SkipOperator("-")) {
    expression = Make(Node::kNegative, line, ParseUnary(false));
  } else if (SkipOperator("+")) {
    expression = Make(Node::kPositive, line, ParseUnary(false));
  } else {
    expression = ParsePrimary();
  }
  expression = ParsePostfix(std::move(expression));
  return filters ? ParseFiltersAndTests(std::move(expression)) : std::move(expression);
}

ExpressionPtr ExpressionParser::ParsePrimary() {
  if (IsOperator("[")) return ParseList();
  if (IsOperator("{")) return ParseDict();
  if (SkipOperator("(")) {
    ExpressionPtr inner = ParseTuple(true, true);
    ExpectOperator(")");
    return inner;
  }
  ExpressionPtr expression = Make(Node::kConstant, current().line);
  const Token& token = current();
  switch (token.kind) {
    case TokenKind::kName:
      Next();
      if (token.text == "true" || token.text == "True") {
        expression->constant = true;
      } else if (token.text == "false" || token.text == "False") {
        expression->constant = false;
      } else if (token.text != "none" && token.text != "None") {
        expression->kind = Node::kName;
        expression->text = token.text;
      }
      return expression;
    case TokenKind::kString: {
      std::string text;
      while (Is(TokenKind::kString)) text += Next().text;
      expression->constant = Value(std::move(text));
      return expression;
    }
    case TokenKind::kInteger:
      expression->constant = Next().integer;
      return expression;
    case TokenKind::kFloat:
      expression->constant = Next().number;
      return expression;
    default:
      Unexpected("an expression");
  }
}

ExpressionPtr ExpressionParser::ParseList() {
  ExpressionPtr list = Make(Node::kList, Next().line);
  while (!IsOperator("]")) {
    list->parts.push_back(ParseExpression());
    if (!SkipOperator(",")) break;
  }
  ExpectOperator("]");
  return Done(std::move(list));
}

ExpressionPtr ExpressionParser::ParseDict() {
  ExpressionPtr dict = Make(Node::kDict, Next().line);
  while (!IsOperator("}")) {
    dict->parts.push_back(ParseExpression());
    ExpectOperator(":");
    dict->parts.push_back(ParseExpression());
    if (!SkipOperator(",")) break;
  }
  ExpectOperator("}");
  return Done(std::move(dict));
}

ExpressionPtr ExpressionParser::ParsePostfix(ExpressionPtr expression) {
  for (;;) {
    if (IsOperator(".") || IsOperator("[")) {
      expression = ParseSubscript(std::move(expression));
    } else if (IsOperator("(")) {
      expression = Make(Node::kCall, current().line, std::move(expression));
      ParseArguments(*expression);
      expression = Done(std::move(expression));
    } else {
      return expression;
    }
  }
}

ExpressionPtr ExpressionParser::ParseSubscript(ExpressionPtr object) {
  const int line = current().line;
  if (SkipOperator(".")) {
    if (Is(TokenKind::kInteger)) {
      ExpressionPtr index = Make(Node::kConstant, line);
      index->constant = Next().integer;
      return Make(Node::kItem, line, std::move(object), std::move(index));
    }
    ExpressionPtr attribute = Make(Node::kAttribute, line, std::move(object));
    attribute->text = ExpectName();
    return attribute;
  }
  ExpectOperator("[");
  const auto bound = [&]() -> ExpressionPtr {
    return IsOperator(":") || IsOperator("]") ? nullptr : ParseExpression();
  };
  ExpressionPtr first = IsOperator(":") ? nullptr : ParseExpression();
  ExpressionPtr result;
  if (SkipOperator(":")) {
    result = Make(Node::kSlice, line, std::move(object));
    result->parts.push_back(std::move(first));
    result->parts.push_back(bound());
    result->parts.push_back(SkipOperator(":") ? bound() : nullptr);
    result = Done(std::move(result));
  } else {
    result = Make(Node::kItem, line, std::move(object), std::move(first));
  }
  ExpectOperator("]");
  return result;
}

ExpressionPtr ExpressionParser::ParseFiltersAndTests(ExpressionPtr expression) {
  for (;;) {
    if (SkipOperator("|")) {
      expression = ParseFilters(std::move(expression));
    } else if (SkipName("is")) {
      expression = ParseTest(std::move(expression));
    } else if (IsOperator("(")) {
      expression = ParsePostfix(std::move(expression));
    } else {
      return expression;
    }
  }
}

ExpressionPtr ExpressionParser::ParseFilters(ExpressionPtr input) {
  do {
    ExpressionPtr filter = Make(Node::kFilter, current().line);
    filter->parts.push_back(std::move(input));
    filter->text = ExpectName();
    if (IsOperator("(")) ParseArguments(*filter);
    input = Done(std::move(filter));
  } while (SkipOperator("|"));
  return input;
}

ExpressionPtr ExpressionParser::ParseTest(ExpressionPtr input) {
  const int line = current().line;
  const bool negated = SkipName("not");
  ExpressionPtr test = Make(Node::kTest, line, std::move(input));
  test->text = ExpectName();
  const bool operand = Is(TokenKind::kString) || Is(TokenKind::kInteger) || Is(TokenKind::kFloat) ||
                       IsOperator("[") || IsOperator("{") ||
                       (Is(TokenKind::kName) && !IsName("else") && !IsName("or") && !IsName("and"));
  if (IsOperator("(")) {
    ParseArguments(*test);
  } else if (IsName("is")) {
    Fail("two tests with 'is' cannot follow each other");
  } else if (operand) {
    test->parts.push_back(ParsePostfix(ParsePrimary()));
  }
  test = Done(std::move(test));
  return negated ? Make(Node::kNot, line, std::move(test)) : std::move(test);
}

void ExpressionParser::ParseArguments(Expression& call) {
  ExpectOperator("(");
  while (!IsOperator(")")) {
    const bool named = Is(TokenKind::kName) && tokens_[at_ + 1].kind == TokenKind::kOperator &&
                       tokens_[at_ + 1].text == "=";
    if (named) {
      std::string name = Next().text;
      Next();
      call.named.emplace_back(std::move(name), ParseExpression());
    } else if (IsOperator("*") || IsOperator("**")) {
      Fail("arguments given as *list or **dict are not supported");
    } else if (!call.named.empty()) {
      Unexpected("a named argument");
    } else {
      call.parts.push_back(ParseExpression());
    }
    if (!SkipOperator(",")) break;
  }
  ExpectOperator(")");
}

}  // namespace grin::jinja
