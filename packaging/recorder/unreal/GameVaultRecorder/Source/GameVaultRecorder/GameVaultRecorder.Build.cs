// Links the static library: copy gamevault_rec.h into Public, and the library of each platform into
// ThirdParty/<platform>/ (gamevault_rec.lib, libgamevault_rec.a).

using System.IO;
using UnrealBuildTool;

public class GameVaultRecorder : ModuleRules
{
    public GameVaultRecorder(ReadOnlyTargetRules Target) : base(Target)
    {
        PCHUsage = PCHUsageMode.UseExplicitOrSharedPCHs;
        PublicDependencyModuleNames.AddRange(new string[] { "Core" });
        bool isWindows = Target.Platform == UnrealTargetPlatform.Win64;
        string library = isWindows ? "gamevault_rec.lib" : "libgamevault_rec.a";
        string folder = Path.Combine(PluginDirectory, "ThirdParty", Target.Platform.ToString());
        PublicAdditionalLibraries.Add(Path.Combine(folder, library));
        if (isWindows) PublicSystemLibraries.AddRange(new string[] { "ntdll.lib", "userenv.lib", "ws2_32.lib" });
    }
}
