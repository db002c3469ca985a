// What of Unreal the wrapper uses, for the tests alone: texts are UTF-8 here. The engine's headers lead to this one.

#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#define GAMEVAULTRECORDER_API
#define TEXT(text) text
#define TCHAR_TO_UTF8(text) (text)
#define UTF8_TO_TCHAR(text) (text)
#define UE_LOG(category, level, ...) std::fprintf(stderr, __VA_ARGS__)
#define IMPLEMENT_MODULE(type, name) \
  IModuleInterface* MakeModule() { return new type; }

typedef uint8_t uint8;
typedef char TCHAR;

class FString {
 public:
  FString(const TCHAR* text = "") : text(text) {}
  const TCHAR* operator*() const { return text.c_str(); }
  static FString Printf(const TCHAR* format, ...) {
    char buffer[1024];
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(buffer, sizeof buffer, format, arguments);
    va_end(arguments);
    return FString(buffer);
  }

 private:
  std::string text;
};

template <typename T>
class TArray : std::vector<T> {
 public:
  using std::vector<T>::vector;
  const T* GetData() const { return this->data(); }
  int Num() const { return static_cast<int>(this->size()); }
};

class IModuleInterface {
 public:
  virtual ~IModuleInterface() {}
  virtual void StartupModule() {}
  virtual void ShutdownModule() {}
};

struct FEngineVersion {
  static FEngineVersion Current() { return FEngineVersion(); }
  FString ToString() const { return "5.6.1-44394996+++UE5+Release-5.6"; }
};

IModuleInterface* MakeModule();
