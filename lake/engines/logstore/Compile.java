import java.io.File;
import org.codehaus.commons.compiler.ICompiler;
import org.codehaus.janino.CompilerFactory;

/** Compiles a source file into a folder by Janino, which Spark has with it: no JDK is needed. */
public class Compile {

    public static void main(String[] words) throws Exception {
        ICompiler compiler = new CompilerFactory().newCompiler();
        compiler.setClassPath(paths(System.getProperty("java.class.path")));
        compiler.setDestinationDirectory(new File(words[1]), false);
        compiler.compile(new File[] {new File(words[0])});
    }

    private static File[] paths(String joined) {
        String[] names = joined.split(File.pathSeparator);
        File[] files = new File[names.length];
        for (int i = 0; i < names.length; i++) {
            files[i] = new File(names[i]);
        }
        return files;
    }
}
