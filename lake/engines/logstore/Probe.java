import java.nio.file.FileAlreadyExistsException;
import java.util.Collections;
import java.util.Scanner;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import redcliff.ConditionalLogStore;

/**
 * Writes one new file of a log twice; says `fenced` when the second attempt is refused.
 *
 * The file is the first argument; settings of Hadoop come as lines `key=value` on stdin, for some
 * of them are secret.
 */
public class Probe {

    public static void main(String[] words) throws Exception {
        Configuration configuration = new Configuration();
        Scanner settings = new Scanner(System.in, "UTF-8");
        while (settings.hasNextLine()) {
            String[] pair = settings.nextLine().split("=", 2);
            configuration.set(pair[0], pair[1]);
        }
        ConditionalLogStore store = new ConditionalLogStore(configuration);
        Path path = new Path(words[0]);
        store.write(path, Collections.singleton("first").iterator(), Boolean.FALSE, configuration);
        try {
            store.write(
                path, Collections.singleton("second").iterator(), Boolean.FALSE, configuration);
            System.out.println("overwritten");
        } catch (FileAlreadyExistsException error) {
            System.out.println("fenced");
        }
    }
}
