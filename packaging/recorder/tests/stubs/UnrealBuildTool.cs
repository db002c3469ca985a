// What of Unreal's build tool the wrapper's rules use. For the tests alone.

using System.Collections.Generic;

namespace UnrealBuildTool
{
    public enum UnrealTargetPlatform { Win64, Linux, Mac }
    public class ReadOnlyTargetRules { public UnrealTargetPlatform Platform = UnrealTargetPlatform.Linux; }

    public class ModuleRules
    {
        public enum PCHUsageMode { UseExplicitOrSharedPCHs }
        public PCHUsageMode PCHUsage;
        public List<string> PublicDependencyModuleNames = new List<string>();
        public List<string> PublicAdditionalLibraries = new List<string>();
        public List<string> PublicSystemLibraries = new List<string>();
        public string PluginDirectory = "plugin";
        public ModuleRules(ReadOnlyTargetRules target) { }
    }
}

static class Rules
{
    static void Main()
    {
        var rules = new GameVaultRecorder(new UnrealBuildTool.ReadOnlyTargetRules());
        System.Console.WriteLine(rules.PublicAdditionalLibraries[0]);
    }
}
